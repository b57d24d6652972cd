"""Draw what three ways of tiling change against the whole plane: ``docs/images/seams.png``.

    stable-tiles demo --out demo
    pip install monai          # optional; else its formula in plain torch, labelled so
    python docs/make_seams.py demo

Every way passes tiles of the same side through the same network of the demo:
naive tiles side by side, MONAI's Gaussian blending at 50 % overlap, and the
tiles of stable-tiles.  Prints one JSON document with the figures of the text.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stable_tiles.check import seam_index
from stable_tiles.image.store import open_image
from stable_tiles.intensity import Normalizer
from stable_tiles.model import load_model
from stable_tiles.region import Region
from stable_tiles.tiling.axis import Cell, Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate.fit import fit_intensity
from stable_tiles.translate.options import TranslateOptions
from stable_tiles.translate.pixels import Intensity
from stable_tiles.translate.render import Renderer, Sheet

Plane = npt.NDArray[np.float32]
Translate = Callable[[Tensor], Tensor]
Row = tuple[str, Plane, dict[str, float]]

ZOOM = 80
"""Half the side of what is shown of the translations, pixels."""


def tiles_of(size: tuple[int, int], side: int, step: int) -> Iterator[tuple[slice, slice]]:
    """Squares of `side` pixels, `step` apart; the last of a row or column ends at the edge."""
    starts = [sorted({*range(0, max(1, n - side), step), max(0, n - side)}) for n in size]
    for y in starts[0]:
        for x in starts[1]:
            yield slice(y, y + side), slice(x, x + side)


def naive(x: Tensor, side: int, network: Translate) -> Tensor:
    """Tiles side by side, each translated as if it were an image."""
    made: Tensor | None = None
    for rows, columns in tiles_of((x.shape[2], x.shape[3]), side, side):
        tile = network(x[:, :, rows, columns])
        if made is None:
            made = tile.new_zeros(1, tile.shape[1], *x.shape[2:])
        made[:, :, rows, columns] = tile
    assert made is not None  # a plane has a tile
    return made


def gaussian(x: Tensor, side: int, network: Translate) -> tuple[str, Tensor]:
    """Overlapping tiles weighted by a Gaussian: MONAI's, or its formula where it is absent."""
    try:
        import monai
        from monai.inferers import sliding_window_inference
    except ImportError:
        return "Gaussian blending, 50 % overlap (MONAI's formula)", _blended(x, side, network)
    made = sliding_window_inference(x, (side, side), 4, network, overlap=0.5, mode="gaussian")
    assert isinstance(made, Tensor)  # one output
    return f"MONAI {monai.__version__}, Gaussian blending, 50 % overlap", made


def _blended(x: Tensor, side: int, network: Translate) -> Tensor:
    position = torch.arange(side) - (side - 1) / 2
    bell = torch.exp(-0.5 * (position / (0.125 * side)) ** 2)
    weight = torch.outer(bell, bell)
    weight = torch.clamp(weight, min=max(float(weight[weight > 0].min()), 1e-3))
    total, count = None, torch.zeros(x.shape[2:])
    for rows, columns in tiles_of((x.shape[2], x.shape[3]), side, side // 2):
        tile = network(x[:, :, rows, columns]) * weight
        if total is None:
            total = tile.new_zeros(1, tile.shape[1], *x.shape[2:])
        total[:, :, rows, columns] += tile
        count[rows, columns] += weight
    assert total is not None  # a plane has a tile
    return total / count


def grid_of(size: tuple[int, int], tiling: Tiling) -> TileGrid:
    """All tiles of a plane."""
    y, x = (Window(length, 0, length, length) for length in size)
    return TileGrid.cover(tiling, y, x)


def squares(size: tuple[int, int], step: int, like: Tiling) -> TileGrid:
    """Squares of `step` pixels, whose borders `seam_index` looks at."""
    rows, columns = (
        tuple(Cell(at, min(at + step, n), at, min(at + step, n)) for at in range(0, n, step))
        for n in size
    )
    return TileGrid(like, rows, columns)


def ours(x: Tensor, grid: TileGrid, network: Translate, channels: int) -> Tensor:
    """The tiles of stable-tiles."""
    same = Normalizer((0.0,), (1.0,))
    whole = Region.whole(tuple(x.shape[2:]))
    renderer = Renderer(grid, Intensity(same, same, "float32"), channels)
    canvas = renderer.render(Sheet(x.numpy(), whole), whole, lambda tile, area: network(tile))
    return torch.from_numpy(canvas.pixels)


def figures(made: Plane, whole: Plane, borders: TileGrid) -> dict[str, float]:
    """How far a translation is from the whole plane's, in units of its standard deviation."""
    difference = np.abs(made - whole)
    index = seam_index(made[None, None], borders) / seam_index(whole[None, None], borders)
    grey = (whole - whole.min()) / np.ptp(whole), (made - whole.min()) / np.ptp(whole)
    changed = np.rint(255 * grey[0]) != np.rint(255 * np.clip(grey[1], 0, 1))
    return {
        "largest_sd": float(difference.max() / whole.std()),
        "changed_grey_values": float(changed.mean()),
        "seam_index": index,
    }


def draw(path: Path, rows: list[Row], whole: Plane, corner: int) -> None:
    """Above the translations around a corner of naive tiles, below their errors everywhere."""
    mpl.use("agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    figure, axes = plt.subplots(2, len(rows), figsize=(4 * len(rows), 8.8), layout="constrained")
    low, high = np.percentile(whole, (0.5, 99.8))
    for (name, made, found), (above, below) in zip(rows, axes.T, strict=True):
        around = slice(corner - ZOOM, corner + ZOOM)
        above.imshow(
            made[around, around], cmap="gray", vmin=low, vmax=high, interpolation="nearest"
        )
        error = np.abs(made - whole) / whole.std()
        shown = below.imshow(
            np.maximum(error, 1e-6), cmap="magma", norm=LogNorm(1e-6, 1), interpolation="nearest"
        )
        above.set_title(name, fontsize=10)
        below.set_title(
            f"largest error {found['largest_sd']:.2g} SD, "
            f"{found['changed_grey_values']:.2%} of grey values,\n"
            f"seam index {found['seam_index']:.3f}",
            fontsize=10,
        )
    for axis in axes.flat:
        axis.set_axis_off()
    label = "|tiled - whole plane|, standard deviations of the whole plane"
    figure.colorbar(shown, ax=axes[1], orientation="horizontal", shrink=0.6, label=label)
    figure.savefig(path, dpi=100)


@torch.inference_mode()
def main() -> None:
    """Translate a piece of the demo's test image in three ways, compare, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, help="folder that stable-tiles demo wrote")
    parser.add_argument("--side", type=int, default=256, help="side of a forward pass, pixels")
    parser.add_argument("--size", type=int, default=768, help="side of the piece, pixels")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images" / "seams.png")
    asked = parser.parse_args()
    model, image = load_model(asked.demo / "run"), open_image(asked.demo / "test_A.zarr")
    intensity, _ = fit_intensity(image, model, TranslateOptions())
    box = Region((0, 0, 0, 0), (1, 1, asked.size, asked.size))
    x = intensity.enter(image.read(box)[:, :, 0])
    reach = model.local_reach("a2b")
    exact = Tiling(asked.side, reach, model.stride, "crop")
    size = (asked.size, asked.size)

    def network(tile: Tensor) -> Tensor:
        return model.network.translate(tile, "a2b")

    whole = network(x)[0, 0].numpy()
    name, blended = gaussian(x, asked.side, network)
    grid = grid_of(size, exact)
    ways = [
        ("naive tiles", naive(x, asked.side, network), squares(size, asked.side, exact)),
        (name, blended, squares(size, asked.side // 2, exact)),
        (f"stable-tiles, halo {reach} px", ours(x, grid, network, 1), grid),
    ]
    rows = []
    for title, made, borders in ways:
        plane = made[0, 0].numpy()
        rows.append((title, plane, figures(plane, whole, borders)))
    asked.out.parent.mkdir(exist_ok=True)
    draw(asked.out, rows, whole, asked.side)
    found = {"side": asked.side, **{title: one for title, _, one in rows}}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
