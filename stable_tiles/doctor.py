"""Doctor: what this machine and installation have, and what is missing, with the line to run."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from packaging.requirements import Requirement

from stable_tiles import __version__
from stable_tiles.usage import cores

_DISTRIBUTION = "stable-tiles"
_LEAST_MEMORY = 4 * 2**30
_LEAST_DISK = 10 * 2**30


@dataclass(frozen=True)
class Gpu:
    """A CUDA GPU: its name, its memory and what of it is free, bytes."""

    name: str
    memory_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Package:
    """A requirement of the installation.

    Parameters
    ----------
    name : str
        Of the distribution.
    version : str or None
        What is installed.
    wanted : str
        Versions that fit; empty for any.
    extra : str or None
        The extra that needs it; None for what every command needs.
    install : str or None
        The line that mends it; None where nothing is amiss.
    """

    name: str
    version: str | None
    wanted: str
    extra: str | None
    install: str | None


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Parameters
    ----------
    version, python, system : str
        Of this package, of Python, and the operating system with its processor.
    cores : int
        CPU cores that this process may use.
    memory_bytes, free_memory_bytes, free_disk_bytes : int
        Of the machine, and of the disk of the current folder.
    cuda : str or None
        CUDA version that PyTorch was built for; None for a CPU build.
    gpus : tuple of Gpu
        Those that PyTorch can use.
    packages : tuple of Package
        All requirements.
    problems : tuple of str
        What hinders work, one line each.
    """

    version: str
    python: str
    system: str
    cores: int
    memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    cuda: str | None
    gpus: tuple[Gpu, ...]
    packages: tuple[Package, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as JSON values."""
        return asdict(self)


def diagnose(folder: Path) -> Diagnosis:
    """Look at the installation and the machine; `folder` is where work would be written."""
    packages = tuple(_packages())
    cuda, gpus, trouble = _gpus()
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(folder).free
    missing = [
        f"{package.name} {package.version or 'is missing'}"
        f"{f' does not fit {package.wanted}' if package.version else ''}: {package.install}"
        for package in packages
        if package.install and package.extra is None
    ]
    if memory.total < _LEAST_MEMORY:
        missing.append(
            f"{memory.total / 2**30:.1f} GiB of memory: default tiles need 4 GiB, use --tile 512"
        )
    if disk < _LEAST_DISK:
        missing.append(f"{disk / 2**30:.1f} GiB free on this disk: a slide takes more than 10")
    return Diagnosis(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=cores(),
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        free_disk_bytes=disk,
        cuda=cuda,
        gpus=gpus,
        packages=packages,
        problems=(*missing, *trouble),
    )


def _packages() -> Iterator[Package]:
    """Each requirement once; one that every command needs goes before those of extras."""
    seen = set()
    requirements = [Requirement(text) for text in metadata.requires(_DISTRIBUTION) or ()]
    for extra in (None, *sorted(metadata.metadata(_DISTRIBUTION).get_all("Provides-Extra") or ())):
        for requirement in requirements:
            needed = requirement.marker is None
            if extra is not None and requirement.marker is not None:
                needed = requirement.marker.evaluate({"extra": extra})
            if extra in _FOR_DEVELOPERS or not needed or requirement.name in seen:
                continue
            seen.add(requirement.name)
            yield _package(requirement, extra)


_FOR_DEVELOPERS = {"test"}


def _package(requirement: Requirement, extra: str | None) -> Package:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        version = None
    fits = version is not None and requirement.specifier.contains(version, prereleases=True)
    what = f"{_DISTRIBUTION}[{extra}]" if extra else f"{requirement.name}{requirement.specifier}"
    line = None if fits else f"pip install '{what}'"
    return Package(requirement.name, version, str(requirement.specifier), extra, line)


def _gpus() -> tuple[str | None, tuple[Gpu, ...], list[str]]:
    """CUDA version of PyTorch, its GPUs, and what is wrong with them."""
    try:
        import torch
    except ImportError as error:  # told as a missing package too
        return None, (), [f"PyTorch does not import: {error}"]
    cuda = torch.version.cuda
    if cuda and not torch.cuda.is_available():
        hint = "PyTorch was built for CUDA but finds no GPU: see nvidia-smi, or use --gpus 0"
        return cuda, (), [hint] if shutil.which("nvidia-smi") else []
    gpus = []
    for index in range(torch.cuda.device_count() if cuda else 0):
        free, total = torch.cuda.mem_get_info(index)
        gpus.append(Gpu(torch.cuda.get_device_name(index), total, free))
    trouble = []
    if not cuda and shutil.which("nvidia-smi"):
        trouble = ["this machine has an NVIDIA driver, but PyTorch is a CPU build: see pytorch.org"]
    return cuda, tuple(gpus), trouble
