"""The authors' checkpoints as models: their names and settings translated into ours.

Their files are pickles; they are read by torch's restricted unpickler, which
builds tensors and plain containers and executes nothing.
"""

from __future__ import annotations

import json
import pickle
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from stable_tiles.domain import Domain
from stable_tiles.errors import ModelError, OutputExists, StoreNotFound, first_line
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model
from stable_tiles.networks.layers import Norm
from stable_tiles.networks.translator import Translator
from stable_tiles.sections import Widths
from stable_tiles.settings import NetworkSettings, Normalization

UNMEASURED_BOUND = 2.75
"""Bound (input pixels) of displacements in networks that nobody measured here."""

MAX_SETTINGS_BYTES = 1_000_000

_NETWORKS = {"Enc1": "encoder_a", "Dec1": "decoder_a", "Enc2": "encoder_b", "Dec2": "decoder_b"}

_RENAMES = (
    (r"^inc\.double_conv\.", "first."),
    (r"^downs\.(\d+)\.maxpool_conv\.1\.double_conv\.", r"downs.\1."),
    (r"^ups\.(\d+)\.conv\.double_conv\.", r"ups.\1.block."),
    (r"^ups\.(\d+)\.up\.offset\.", r"ups.\1.upsample.offset."),
    (r"^ups\.(\d+)\.upconv\.", r"ups.\1.narrow."),
    (r"^outc\.conv\.", "head."),
)
_DAMAGE = (
    *(RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, ArithmeticError, MemoryError, OSError, struct.error),
)
"""What torch's unpickler raises on damaged files."""

_BLOCK = {"0": "inner.conv", "1": "inner.norm", "3": "outer.conv", "4": "outer.norm"}


class _Settings(BaseModel):
    """What the authors' ``settings.json`` says of the networks; the rest is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    n_in: int = Field(ge=1, le=4096)
    n_out: int = Field(ge=1, le=4096)
    n_info: int = Field(ge=1)
    G_mid_channels: Widths
    G_norm_type: Norm = "batch"
    G_demodulated: bool = True
    enc_act: str = "relu"
    dec_act: str = "relu"


def import_official(
    checkpoint: str | Path, settings: str | Path, run: str | Path, *, overwrite: bool = False
) -> Model:
    """Write the model in a checkpoint of the authors' program as a run that translates.

    Parameters
    ----------
    checkpoint, settings : str or Path
        As in `read_official`.
    run : str or Path
        Folder that `translate` will take as its model.
    overwrite : bool
        Whether to replace the model of a run that exists.

    Returns
    -------
    Model
        What was written.

    Raises
    ------
    OutputExists
        If the folder exists and is not empty, or is a file.
    StoreNotFound, ModelError
        As `read_official`.
    """
    folder = Path(run)
    if folder.exists() and not folder.is_dir():
        raise OutputExists(f"{folder} is a file: give another --out")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputExists(f"{folder} exists: give another --out, or --overwrite")
    model = read_official(checkpoint, settings)
    model.save(folder)
    return model


def read_official(checkpoint: str | Path, settings: str | Path) -> Model:
    """The model in a checkpoint of the authors' program.

    Their files do not say how pixels relate to network units: both domains
    normalise each image by its percentiles 0 and 99 as their program does by
    default, and the output's range is 0..1.  Displacements are bounded by
    `UNMEASURED_BOUND`; ``network.bound_offsets`` measures them on images.

    Parameters
    ----------
    checkpoint : str or Path
        ``model_*.pth`` with the keys Enc1, Dec1, Enc2 and Dec2.
    settings : str or Path
        The ``settings.json`` of the same experiment.

    Returns
    -------
    Model

    Raises
    ------
    StoreNotFound
        If a file does not exist.
    ModelError
        If a file is damaged, would execute code, or holds another network.
    """
    asked = _read_settings(Path(settings))
    network_settings = NetworkSettings(
        widths=asked.G_mid_channels,
        features=asked.n_info,
        norm=asked.G_norm_type,
        demodulate=asked.G_demodulated,
    )
    states = _read_checkpoint(Path(checkpoint))
    network = Translator(asked.n_in, asked.n_out, network_settings).eval()
    for theirs, ours in _NETWORKS.items():
        _fill(network.get_submodule(ours), states[theirs], f"{checkpoint}, {theirs}")
    domains = {"a": _domain(asked.n_in), "b": _domain(asked.n_out)}
    origin = {"made_by": "NICALab/STABLE", "checkpoint": Path(checkpoint).name}
    return Model(network, network_settings, domains, origin)


def _domain(channels: int) -> Domain:
    return Domain(
        channels=channels,
        channel_names=tuple(f"channel {number}" for number in range(channels)),
        dtype="float32",
        normalizer=Normalizer((0.0,), (1.0,)),
        normalization=Normalization(kind="percentile", low=0.0, high=99.0),
        colors=("FF0000", "00FF00", "0000FF") if channels == 3 else ("FFFFFF",) * channels,
    )


def _read_settings(path: Path) -> _Settings:
    if not path.is_file():
        raise StoreNotFound(f"no settings at {path}: name the settings.json of the checkpoint")
    if path.stat().st_size > MAX_SETTINGS_BYTES:
        raise ModelError(f"{path} is larger than {MAX_SETTINGS_BYTES} bytes: not settings")
    try:
        settings = _Settings.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelError(f"{path} is not settings of STABLE: {where}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {' '.join(str(error).split())}") from None
    if (settings.enc_act, settings.dec_act) != ("relu", "relu"):
        raise ModelError(
            f"{path}: activations {settings.enc_act} and {settings.dec_act} are not supported: "
            "only networks with relu can be imported"
        )
    return settings


def _read_checkpoint(path: Path) -> dict[str, dict[str, Tensor]]:
    if not path.is_file():
        raise StoreNotFound(f"no checkpoint at {path}: name the model_*.pth file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            f"{path} holds more than tensors, or is damaged: it was not loaded, for it could "
            "execute code; save the networks' state_dict alone"
        ) from None
    except _DAMAGE as error:
        line = " ".join(first_line(error).split())[:200]
        raise ModelError(f"{path} is no checkpoint, or is damaged: {line}") from None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), dict) for name in _NETWORKS
    ):
        raise ModelError(f"{path} is not a checkpoint of STABLE: it lacks {', '.join(_NETWORKS)}")
    return {name: found[name] for name in _NETWORKS}


def _fill(network: torch.nn.Module, theirs: dict[str, Tensor], where: str) -> None:
    """Load the authors' tensors into a U-Net; every tensor must find its place."""
    state = network.state_dict()
    missing = {name for name in state if not name.endswith(".bound")}
    for name, tensor in theirs.items():
        if str(name).endswith(".up.init_pos"):
            continue
        ours = _renamed(str(name))
        if ours not in missing or not isinstance(tensor, Tensor):
            raise ModelError(f"{where}: tensor {name} has no place in the network of the settings")
        state[ours] = _checked(tensor, state[ours], f"{where}: tensor {name}")
        missing.remove(ours)
    if missing:
        raise ModelError(f"{where}: {len(missing)} tensors are missing, such as {min(missing)}")
    for name in state:
        if name.endswith(".bound"):
            state[name] = torch.tensor(UNMEASURED_BOUND)
    network.load_state_dict(state)


def _checked(tensor: Tensor, wanted: Tensor, what: str) -> Tensor:
    """The tensor, without the leading axis of the authors' demodulated filters."""
    found = tensor.squeeze(0) if tensor.dim() == 5 else tensor
    if found.shape != wanted.shape:
        raise ModelError(
            f"{what} has shape {tuple(found.shape)}, the settings ask for {tuple(wanted.shape)}"
        )
    numbers = found.is_floating_point() or not wanted.is_floating_point()
    if found.layout != torch.strided or found.is_quantized or found.is_complex() or not numbers:
        raise ModelError(f"{what} holds {found.dtype}, not plain floating-point numbers")
    if not bool(torch.isfinite(found).all()):
        raise ModelError(f"{what} holds values that are NaN or infinite: its training failed")
    return found


def _renamed(name: str) -> str:
    for pattern, ours in _RENAMES:
        changed, found = re.subn(pattern, ours, name)
        if found:
            parts = changed.split(".")
            if "block" in parts or parts[0] in {"first", "downs"}:
                parts[-2] = _BLOCK.get(parts[-2], parts[-2])
            return ".".join(parts)
    return name
