"""Networks compiled for training; what is saved and shown stays as it was written."""

from __future__ import annotations

import torch

from stable_tiles.errors import SettingsError, first_line
from stable_tiles.networks.translator import Translator


def compiled(network: Translator) -> Translator:
    """A translator with the same weights, whose four networks are compiled when first called.

    Raises
    ------
    SettingsError
        If nothing can be compiled here.
    """
    _check_compiler(next(network.parameters()).device)
    with torch.device("meta"):
        twin = Translator(network.channels["a"], network.channels["b"], network.settings)
    for name, part in network.named_children():
        setattr(twin, name, torch.compile(part, dynamic=False))
    return twin


def _check_compiler(device: torch.device) -> None:
    """Compile one line, so that a missing compiler is found before any work."""
    try:
        torch.compile(_one_line)(torch.zeros(8, device=device))
    except Exception as error:
        raise SettingsError(
            f"training.compile: nothing can be compiled here ({first_line(error)}): install a "
            "C++ compiler (and Triton for GPUs), or set training.compile=false"
        ) from error


def _one_line(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + 1
