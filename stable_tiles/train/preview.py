"""Preview images: what the networks do to a few patches, both directions, as one PNG.

A row a patch, four columns: input, translation, cycle, and a patch of the
target domain to compare with; the rows of A to B come first::

    a | b' | a'' | b
    b | a' | b'' | a

Where a network translates in one direction only, ``a | b' | b``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import imagecodecs
import numpy as np
import numpy.typing as npt
import torch

from stable_tiles.image.ngff import Channel
from stable_tiles.networks.network import Direction

GAP = 2
"""Pixels between neighbouring images."""


class Translates(Protocol):
    """What a preview needs of a network."""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Directions that it translates in."""
        ...

    def translate(self, x: torch.Tensor, direction: Direction) -> torch.Tensor:
        """Translate (n, c, y, x)."""
        ...


def write_preview(
    file: Path,
    network: Translates,
    patches: tuple[torch.Tensor, torch.Tensor],
    channels: tuple[tuple[Channel, ...], tuple[Channel, ...]],
) -> tuple[int, int]:
    """Write the preview of some patches; returns its height and width.

    Parameters
    ----------
    file : Path
        The PNG.
    network : Translates
        In evaluation mode.
    patches : pair of tensors, float32 (n, c, y, x)
        Patches of A and of B in network units, on the network's device.
    channels : pair of tuples of Channel
        Whose colours the channels of A and of B are shown in.
    """
    with torch.no_grad():
        rows = _rows(network, *patches)
    colors = {name: _colors(domain) for name, domain in zip("ab", channels, strict=True)}
    shown = [[_show(tensor, colors[domain]) for tensor, domain in row] for row in rows]
    sheet = np.concatenate([_row(images, i) for images in shown for i in range(len(patches[0]))])
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(imagecodecs.png_encode(sheet))
    partial.replace(file)
    return sheet.shape[0], sheet.shape[1]


def middle(patches: torch.Tensor) -> torch.Tensor:
    """The planes (n, c, y, x) that patches stand for: of movies (n, t, c, y, x) the middle ones."""
    return patches if patches.dim() == 4 else patches[:, patches.shape[1] // 2]


def _rows(
    network: Translates, a: torch.Tensor, b: torch.Tensor
) -> list[list[tuple[torch.Tensor, str]]]:
    """What is shown of either direction, each with the domain whose colours it has."""
    to_b = network.translate(a, "a2b")
    if "b2a" not in network.directions:
        return [[(middle(a), "a"), (to_b, "b"), (middle(b), "b")]]
    to_a = network.translate(b, "b2a")
    return [
        [(a, "a"), (to_b, "b"), (network.translate(to_b, "b2a"), "a"), (b, "b")],
        [(b, "b"), (to_a, "a"), (network.translate(to_a, "a2b"), "b"), (a, "a")],
    ]


def _colors(channels: tuple[Channel, ...]) -> npt.NDArray[np.float32]:
    """Colours as (c, 3) in 0..1."""
    values = [[int(channel.color[i : i + 2], 16) for i in (0, 2, 4)] for channel in channels]
    return np.asarray(values, np.float32) / np.float32(255)


def _show(tensor: torch.Tensor, colors: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Network units 0..1 as colours: (n, c, y, x) to (n, y, x, 3), the channels' light added."""
    light = np.clip(tensor.float().cpu().numpy(), 0, 1)
    mixed = np.einsum("ncyx,cr->nyxr", light, colors)
    shown: npt.NDArray[np.uint8] = np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
    return shown


def _row(images: list[npt.NDArray[np.uint8]], index: int) -> npt.NDArray[np.uint8]:
    margins = ((0, GAP), (0, GAP), (0, 0))
    return np.concatenate([np.pad(image[index], margins) for image in images], axis=1)
