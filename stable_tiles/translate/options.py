"""Options of a translation: frozen values that cannot be built wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from stable_tiles.errors import InputError
from stable_tiles.image.codec import DEFAULT_CODEC, Codec
from stable_tiles.image.ngff import Version
from stable_tiles.region import Region
from stable_tiles.tiling.blend import Blend

Auto = Literal["auto"]
Direction = Literal["a2b", "b2a"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "32", "bf16"]
OutputDtype = Literal["auto", "float32", "uint16", "uint8"]
Range = Literal["physical", "unit"]
Normalize = Literal["image", "training", "none"]
Norm = Literal["auto", "exact", "frozen", "dense"]

DEFAULT_SHARD = 4096
"""Side of a shard, pixels, where NGFF knows shards (0.5)."""

CHOICES = {
    "--direction": get_args(Direction),
    "--device": get_args(Device),
    "--precision": get_args(Precision),
    "--dtype": get_args(OutputDtype),
    "--range": get_args(Range),
    "--normalize": get_args(Normalize),
    "--norm": get_args(Norm),
    "--blend": ("auto", *get_args(Blend)),
}
"""The words that each option admits."""


def _one_of(name: str, value: str) -> None:
    if value not in CHOICES[name]:
        raise InputError(f"{name} {value!r} is unknown: use {', '.join(CHOICES[name])}")


@dataclass(frozen=True)
class Selection:
    """What of the source is translated.

    Parameters
    ----------
    region : Region, optional
        Box (y, x) in pixels of level 0; the whole plane by default.
    t, z : tuple of int, optional
        Half-open range of time points and of slices; all by default.
    channels : tuple of int, optional
        Channels handed to the model, in this order; all by default.
    """

    region: Region | None = None
    t: tuple[int, int] | None = None
    z: tuple[int, int] | None = None
    channels: tuple[int, ...] | None = None

    def box(self, shape: Sequence[int]) -> Region:
        """The selected box (t, z, y, x) of an image of shape (t, c, z, y, x).

        Raises
        ------
        InputError
            If it reaches outside the image, or a channel does not exist.
        """
        t, c, z, y, x = shape
        plane = self.region or Region.whole((y, x))
        times, slices = self.t or (0, t), self.z or (0, z)
        if not Region.whole((y, x)).contains(plane):
            raise InputError(f"--region reaches outside the image of {y} x {x} pixels (y, x)")
        for name, (_, stop), size in (("t", times, t), ("z", slices, z)):
            if stop > size:
                raise InputError(f"--planes {name} ends at {stop}, but the image has {size}")
        if self.channels and max(self.channels) >= c:
            raise InputError(f"--channels {max(self.channels)}: the image has 0 to {c - 1}")
        return Region((times[0], slices[0], *plane.start), (times[1], slices[1], *plane.stop))


@dataclass(frozen=True)
class Hardware:
    """Where the work runs.

    Parameters
    ----------
    device : Device
        ``auto`` takes a CUDA GPU where there is one, else the CPU.
    gpus : int, optional
        GPUs to use; 0 is the CPU; all by default.
    workers : int, optional
        Worker processes; one a GPU by default; 0, the default on a CPU, works in this process.
    scheduler : str, optional
        Address (``tcp://...``) or scheduler file of a Dask cluster that runs already.
    slurm : Path, optional
        YAML with the arguments of dask-jobqueue's ``SLURMCluster``.
    dashboard : int, optional
        Port of this machine's loopback address at which Dask's dashboard shows the workers.
    """

    device: Device = "auto"
    gpus: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    slurm: Path | None = None
    dashboard: int | None = None

    def __post_init__(self) -> None:
        _one_of("--device", self.device)
        if (self.gpus or 0) < 0 or (self.workers or 0) < 0:
            raise InputError("--gpus and --workers are 0 or more")
        if self.device in {"cpu", "mps"} and self.gpus:
            raise InputError(f"--gpus {self.gpus} contradicts --device {self.device}: drop one")
        if self.device == "cuda" and self.gpus == 0:
            raise InputError("--gpus 0 contradicts --device cuda: drop one")
        if self.scheduler and self.slurm:
            raise InputError("--scheduler and --slurm are two clusters: give one")
        if self.dashboard is not None and self.scheduler:
            raise InputError("--dashboard: the cluster of --scheduler has its own: drop it")
        if self.dashboard is not None and not 1 <= self.dashboard < 2**16:
            raise InputError("--dashboard is a port from 1 to 65535")


@dataclass(frozen=True)
class StoreOptions:
    """How the output is stored.

    Parameters
    ----------
    chunk : int
        Side of a chunk, pixels.
    shard : int, optional
        Side of a shard, pixels; 0 for none; by default 4096, and none for NGFF 0.4.
    ngff : "0.5" or "0.4"
        NGFF version.
    codec : Codec
        Compression.
    """

    chunk: int = 512
    shard: int | None = None
    ngff: Version = "0.5"
    codec: Codec = DEFAULT_CODEC

    @property
    def shard_side(self) -> int:
        """The shard's side with the default filled in: a whole number of chunks."""
        if self.shard is not None:
            return self.shard
        if self.ngff == "0.4" or self.chunk < 1:
            return 0
        return -(-DEFAULT_SHARD // self.chunk) * self.chunk


@dataclass(frozen=True)
class TranslateOptions:
    """Everything that a translation can be told, validated.

    Parameters
    ----------
    model : Path, optional
        The run; found in the environment or under ``./runs`` by default.
    direction : "a2b" or "b2a"
        From which domain to which.
    select : Selection
        What of the source is translated.
    tile, halo : int or "auto"
        Side of a forward pass and the pixels around what it writes.
    blend : Blend or "auto"
        ``auto``: ``crop`` where the network's reach is finite, else ``hann``.
    norm : Norm
        Statistics of instance-normalised networks.
    precision : Precision
        ``auto`` is 32 bits: the same answer on every device.
    compile : bool
        Whether to compile the network.
    dtype, range, normalize
        Of the output's pixels; the model's by default.
    confidence : bool
        Whether to write the companion image of errors.
    part : tuple of int, optional
        ``(i, n)``: only every n-th region, counting i from 0.
    hardware : Hardware
        Where the work runs.
    store : StoreOptions
        How the output is stored.
    overwrite, resume, dry_run : bool
        What to do about an output that exists; whether only to plan.

    Raises
    ------
    InputError
        If a value is out of its range, or two contradict each other.
    """

    model: Path | None = None
    direction: Direction = "a2b"
    select: Selection = Selection()
    tile: int | Auto = "auto"
    halo: int | Auto = "auto"
    blend: Blend | Auto = "auto"
    norm: Norm = "auto"
    precision: Precision = "auto"
    compile: bool = False
    dtype: OutputDtype = "auto"
    range: Range = "physical"
    normalize: Normalize | None = None
    confidence: bool = False
    part: tuple[int, int] | None = None
    hardware: Hardware = Hardware()
    store: StoreOptions = StoreOptions()
    overwrite: bool = False
    resume: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("direction", "blend", "norm", "precision", "dtype", "range"):
            _one_of(f"--{name}", getattr(self, name))
        if self.normalize is not None:
            _one_of("--normalize", self.normalize)
        if self.tile != "auto" and self.tile < 1:
            raise InputError(f"--tile {self.tile} is not a size: use auto or pixels such as 1024")
        if self.halo != "auto" and self.halo < 0:
            raise InputError(f"--halo {self.halo} is not a size: use auto or 0 and more pixels")
        if self.overwrite and self.resume:
            raise InputError("--overwrite starts again and --resume goes on: give one of them")
        if self.overwrite and self.part:
            raise InputError("--overwrite with --part would remove what other parts wrote")
        if self.part and not self.part[0] < self.part[1]:
            i, n = self.part
            raise InputError(f"--part {i}/{n}: write I/N with I from 0 to N - 1")
