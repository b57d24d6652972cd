from pathlib import Path

import imagecodecs
import numpy as np
import torch

from stable_tiles.image.ngff import RGB_CHANNELS, Channel
from stable_tiles.networks.network import Direction
from stable_tiles.train.preview import GAP, write_preview


class Halves:
    """Grey to three channels at half the light; back to the first channel."""

    directions: tuple[Direction, ...] = ("a2b", "b2a")

    def translate(self, x: torch.Tensor, direction: Direction) -> torch.Tensor:
        """Either way, at half the light."""
        return x.expand(-1, 3, -1, -1) / 2 if direction == "a2b" else x[:, :1] / 2


def test_a_preview_shows_input_translation_cycle_and_target(tmp_path: Path) -> None:
    a, b = torch.full((2, 1, 8, 8), 0.8), torch.full((2, 3, 8, 8), 1.5)
    write_preview(
        tmp_path / "p" / "1.png", Halves(), (a, b), ((Channel("g", "00FF00"),), RGB_CHANNELS)
    )
    sheet = imagecodecs.png_decode((tmp_path / "p" / "1.png").read_bytes())
    side = 8 + GAP
    assert sheet.shape == (4 * side, 4 * side, 3)
    corners = sheet[::side, ::side].astype(int)
    green = [[0, 204, 0], [102, 102, 102], [0, 51, 0], [255, 255, 255]]
    white = [[255, 255, 255], [0, 191, 0], [96, 96, 96], [0, 204, 0]]
    assert np.abs(corners - np.array([green, green, white, white])).max() <= 1
    assert [f.name for f in (tmp_path / "p").iterdir()] == ["1.png"]


def test_a_preview_of_one_direction_shows_input_translation_and_target(tmp_path: Path) -> None:
    network = Halves()
    network.directions = ("a2b",)
    a, b = torch.full((2, 1, 8, 8), 0.8), torch.full((2, 3, 8, 8), 1.5)
    grey = (Channel("g", "00FF00"),)
    height, width = write_preview(tmp_path / "1.png", network, (a, b), (grey, RGB_CHANNELS))
    assert (height, width) == (2 * (8 + GAP), 3 * (8 + GAP))
