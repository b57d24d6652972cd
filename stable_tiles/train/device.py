"""The device that trains, and the precision it computes in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from stable_tiles.errors import DeviceUnavailable, WorkFailed

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "32", "bf16"]


def choose_device(name: DeviceName, processes: int = 1) -> torch.device:
    """The device of that name; ``auto`` takes CUDA, else MPS, else the CPU.

    Several processes compute on the CPU unless CUDA is named.

    Raises
    ------
    DeviceUnavailable
        If it is not on this machine, or there is none for each process.
    """
    if processes > 1 and name in {"cuda", "mps"}:
        _check_count(name, processes)
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _mps()}
    if name == "auto" and processes > 1:
        return torch.device("cpu")
    if name == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if present[d]))
    if not present[name]:
        here = ", ".join(d for d, there in present.items() if there)
        raise DeviceUnavailable(f"--device {name} is not on this machine: use one of auto, {here}")
    return torch.device(name)


def choose_precision(wanted: Precision, device: torch.device) -> Literal["32", "bf16"]:
    """The precision in force; ``auto`` is bf16 where the device multiplies in it.

    On CPUs that means AMX or AVX512-BF16 (a training step took 0.79 of the
    time of float32 on the latter); on GPUs, compute capability 8 and above.

    Raises
    ------
    DeviceUnavailable
        If bf16 is wanted and the device has none.
    """
    able = _multiplies_bf16(device)
    if wanted == "bf16" and not able and device.type != "cpu":
        raise DeviceUnavailable(f"{device} does not compute in bf16: use --precision 32")
    if wanted == "auto":
        return "bf16" if able else "32"
    return wanted


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Within, refuse operations whose results differ from run to run, if that is wanted.

    Raises
    ------
    WorkFailed
        If a network needs such an operation on its device; the line names it.
    """
    if not wanted:
        yield
        return
    # read when cuBLAS starts; without it every matrix product is refused
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    chosen = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    try:
        yield
    except RuntimeError as error:
        if "deterministic implementation" not in str(error):
            raise
        raise WorkFailed(
            f"training.deterministic: {str(error).split('.')[0]}: set it to false"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = chosen


def _check_count(name: DeviceName, processes: int) -> None:
    if name == "mps":
        raise DeviceUnavailable("--device mps trains in one process: use --device cpu for more")
    here = torch.cuda.device_count()
    if here < processes:
        raise DeviceUnavailable(
            f"--gpus {processes}: this machine has {here} CUDA GPUs: use --gpus {here}"
        )


def _mps() -> bool:
    return torch.backends.mps.is_available()


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # torch before 2.7 cannot say; then float32 is the safe answer
        known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(bool(known.get(unit)) for unit in ("amx_bf16", "avx512_bf16"))
    return False
