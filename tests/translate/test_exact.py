"""The promise: tiles, regions, batches and workers change no bit of the output."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stable_tiles.image.store import open_image
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model, load_model
from stable_tiles.networks.layers import DeformableConv2d, DySample
from stable_tiles.networks.statistics import freeze, instance_norms
from stable_tiles.networks.translator import Translator
from stable_tiles.region import Region
from stable_tiles.settings import NetworkSettings
from stable_tiles.tiling.axis import Tiling, Window
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate import prepare
from stable_tiles.translate.options import Hardware, Selection
from stable_tiles.translate.pixels import Intensity
from stable_tiles.translate.render import Renderer, Sheet
from stable_tiles.translate.verb import translate
from tests.translate.scenes import domain, noise, options, save_image

LEVELS = {3: (4, 4, 8), 4: (4, 4, 4, 8)}
SAME = Normalizer((0.0,), (1.0,))


@lru_cache(maxsize=64)
def network_of(
    levels: int,
    norm: Literal["batch", "none", "instance"],
    upsampling: Literal["dynamic", "bilinear", "deformable"],
    channels: int,
) -> Translator:
    """A network with random weights, displacements that move and statistics that differ."""
    torch.manual_seed(0)
    asked = NetworkSettings(widths=LEVELS[levels], features=3, norm=norm, upsampling=upsampling)
    network = Translator(channels, 4 - channels, asked)
    for module in network.modules():
        if isinstance(module, DySample | DeformableConv2d):
            nn.init.normal_(module.offset.weight, std=0.02)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
            for statistics in (module.running_mean, module.running_var):
                assert statistics is not None
                nn.init.uniform_(statistics, 0.5, 1.5)
    for layer in instance_norms(network).values():
        layer.fix(torch.rand(layer.num_features), torch.rand(layer.num_features) + 0.5)
    freeze(network)
    network.bound_offsets([(torch.rand(1, channels, 32, 32), torch.rand(1, 4 - channels, 32, 32))])
    return network.eval()


@torch.inference_mode()
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_tiles_of_any_region_have_the_bits_of_the_whole_plane(data: st.DataObject) -> None:
    network = network_of(
        data.draw(st.sampled_from([3, 4]), "levels"),
        data.draw(st.sampled_from(["batch", "none", "instance"]), "norm"),
        data.draw(st.sampled_from(["dynamic", "bilinear", "deformable"]), "upsampling"),
        data.draw(st.sampled_from([1, 3]), "channels"),
    )
    size = data.draw(st.tuples(st.integers(1, 230), st.integers(1, 230)), "plane")
    core = data.draw(st.integers(8, 96), "core")
    reach, stride = network.reach("a2b"), network.stride
    assert reach is not None
    tiling = Tiling(core + 2 * (reach + stride - 1), reach, stride, "crop")
    start = [data.draw(st.integers(0, length - 1)) for length in size]
    stop = [
        data.draw(st.integers(first + 1, length)) for first, length in zip(start, size, strict=True)
    ]
    period = data.draw(st.integers(16, 128), "region")
    windows = [Window(n, a, b, period) for n, a, b in zip(size, start, stop, strict=True)]
    grid = TileGrid.cover(tiling, *windows)
    channels = network.channels["a"]
    planes = np.random.default_rng(sum(size)).random((1, channels, *size), np.float32)

    def translated(x: torch.Tensor, area: Region) -> torch.Tensor:
        return network.translate(x, "a2b")

    made = Renderer(grid, Intensity(SAME, SAME, "float32"), 4 - channels)
    target, whole = Region(tuple(start), tuple(stop)), Region.whole(size)
    pixels = made.render(Sheet(planes, whole), target, translated).pixels
    expected = network.translate(torch.from_numpy(planes), "a2b").numpy()
    assert np.array_equal(pixels, expected[(slice(None), slice(None), *target.slices)])


def save_network(folder: Path, network: Translator, **changes: Any) -> Path:
    domains = {name: domain(network.channels[name], "float32", **changes) for name in ("a", "b")}
    Model(network, network.settings, domains, {}).save(folder)
    return folder


def digests(store: Path) -> dict[str, str]:
    """sha256 of every file of a store's arrays, by its path."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.parent != store
    }


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
def test_files_do_not_depend_on_tiles_batches_or_workers(
    tmp_path: Path, norm: Literal["none", "batch", "instance"], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = save_network(tmp_path / "run", network_of(3, norm, "dynamic", 1))
    save_image(tmp_path / "a.zarr", noise(3, 1, 1, 150, 171), "tyx")
    files = {}
    for name, tile, batch, workers in (
        ("automatic", "auto", 2**18, 0),
        ("small tiles", 200, 2**18, 0),
        ("one plane at a time", "auto", 1, 0),
        ("large batches", 208, 2**30, 0),
        ("two workers", 200, 2**18, 2),
    ):
        if workers and norm != "batch":
            continue
        monkeypatch.setitem(prepare.BATCH_PIXELS, "cpu", batch)
        hardware = Hardware(gpus=0, workers=workers)
        chosen = options(run, tile=tile, hardware=hardware, normalize="image")
        translate(tmp_path / "a.zarr", tmp_path / f"{name}.zarr", chosen)
        files[name] = digests(tmp_path / f"{name}.zarr")
    assert all(found == files["automatic"] for found in files.values())
    assert len(files["automatic"]) > 4


def translated(folder: Path, run: Path, pixels: npt.NDArray[Any], **changes: Any) -> Any:
    """What `translate` makes of the pixels, and its report."""
    save_image(folder / "a.zarr", pixels, "yx" if pixels.shape[1] == 1 else "cyx")
    chosen = options(run, normalize="training", **changes)
    report = translate(folder / "a.zarr", folder / "b.zarr", chosen)
    image = open_image(folder / "b.zarr")
    return image.read(Region.whole((1, 1, *image.shape[3:]))), report


@pytest.mark.parametrize("upsampling", ["dynamic", "bilinear", "deformable"])
@pytest.mark.parametrize("place", [(100, 120), (0, 0), (199, 1)], ids=str)
def test_a_value_that_is_no_number_spreads_exactly_no_further_than_the_reach(
    tmp_path: Path,
    upsampling: Literal["dynamic", "bilinear", "deformable"],
    place: tuple[int, int],
) -> None:
    run = save_network(tmp_path / "run", network_of(3, "batch", upsampling, 1))
    pixels = noise(1, 1, 1, 200, 230, dtype="float32")
    pixels[(0, 0, 0, *place)] = np.nan
    made, _ = translated(tmp_path, run, pixels, tile=232)
    spoilt = np.argwhere(np.isnan(made).any(axis=(0, 1, 2)))
    reach = load_model(run).reach("a2b")
    assert reach is not None
    assert len(spoilt)
    assert np.abs(spoilt - np.array(place)).max() <= reach
    whole = np.nan_to_num(pixels, nan=0.5)
    clean, _ = translated(tmp_path / "clean", run, whole, tile=232)
    far = np.abs(np.indices((200, 230)) - np.array(place)[:, None, None]).max(axis=0) > reach
    assert np.array_equal(made[..., far], clean[..., far])


def test_values_that_are_no_numbers_become_zero_in_integers_and_are_counted(
    tmp_path: Path,
) -> None:
    run = save_network(tmp_path / "run", network_of(3, "none", "dynamic", 1))
    pixels = noise(1, 1, 1, 160, 170, dtype="float32")
    pixels[0, 0, 0, 80, 80] = np.nan
    floats, _ = translated(tmp_path / "floats", run, pixels)
    whole, report = translated(tmp_path, run, pixels, dtype="uint16", range="unit")
    spoilt = np.isnan(floats)
    scaled = np.rint(np.nan_to_num(floats) * np.float32(65535))
    outside = spoilt | (scaled < 0) | (scaled > 65535)
    assert np.array_equal(whole, np.where(spoilt, 0, np.clip(scaled, 0, 65535)).astype(np.uint16))
    assert report.clipped_fraction == pytest.approx(outside.mean())
    assert report.clipped_fraction >= spoilt.mean() > 0


def test_a_region_of_a_plane_has_the_bits_of_the_plane_there(tmp_path: Path) -> None:
    run = save_network(tmp_path / "run", network_of(4, "batch", "dynamic", 3))
    pixels = noise(1, 3, 1, 200, 210, dtype="float32")
    whole, _ = translated(tmp_path / "whole", run, pixels)
    select = Selection(region=Region((33, 47), (190, 201)))
    part, _ = translated(tmp_path, run, pixels, select=select)
    assert np.array_equal(part, whole[..., 33:190, 47:201])
