from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stable_tiles.check import seam_index
from stable_tiles.errors import InputError, ModelError, WorkFailed
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import partial_folder
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model, load_model
from stable_tiles.networks.statistics import freeze, instance_norms
from stable_tiles.region import Region
from stable_tiles.settings import NetworkSettings
from stable_tiles.tiling.axis import Cell, Tiling
from stable_tiles.tiling.grid import TileGrid
from stable_tiles.translate import norms
from stable_tiles.translate.kept import FOLDER
from stable_tiles.translate.options import Hardware, Selection
from stable_tiles.translate.verb import translate
from tests.translate.scenes import (
    array_files,
    domain,
    everything,
    noise,
    options,
    save_image,
    save_model,
    whole_plane,
)

INSTANCE = NetworkSettings(widths=(4, 8), features=2, norm="instance")
FLOATS = {"a": domain(1, "float32"), "b": domain(1, "float32")}


def scenery(height: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Noise whose mean and contrast change over the plane, as in slides."""
    y, x = np.mgrid[:height, :width]
    values = noise(1, 1, 1, height, width, dtype="float32", seed=seed)
    made: npt.NDArray[np.float32] = (values * (0.2 + x / width) + y / height).astype(np.float32)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save_model(tmp_path / "run", INSTANCE, FLOATS)


def save_with_statistics(folder: Path, settings: NetworkSettings = INSTANCE) -> Path:
    """A run whose instance norms hold statistics, of the scenery."""
    model = load_model(save_model(folder, settings, FLOATS))
    for layer in instance_norms(model.network).values():
        layer.train()
    with torch.no_grad():
        x = torch.from_numpy(scenery(96, 96)[:, :, 0])
        model.network.translate(model.network.translate(x, "a2b"), "b2a")
    model.network.eval()
    Model(model.network, model.settings, model.domains, {}).save(folder)
    return folder


def test_exact_statistics_give_the_whole_plane(tmp_path: Path, run: Path) -> None:
    pixels = save_image(tmp_path / "a.zarr", scenery(200, 290), "yx")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=160))
    expected = whole_plane(run, pixels[:, :, 0])
    difference = np.abs(everything(tmp_path / "b.zarr")[:, :, 0] - expected).max()
    assert difference <= 5.8e-6 * np.ptp(expected)
    assert report.norm == "exact"
    assert report.tiles > 1
    assert report.survey_seconds > 0
    provenance = open_image(tmp_path / "b.zarr").attributes["provenance"]
    assert provenance["options"]["norm"] == provenance["report"]["norm"] == "exact"


def test_exact_statistics_are_within_a_grey_value_on_all_but_a_thousandth(tmp_path: Path) -> None:
    target = domain(1, "uint8", normalizer=Normalizer((-3.0,), (3.0,)))
    run = save_model(tmp_path / "run", INSTANCE, {"a": domain(1, "float32"), "b": target})
    pixels = save_image(tmp_path / "a.zarr", scenery(180, 240), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=160))
    values = whole_plane(run, pixels[:, :, 0]) * np.float32(6) - 3
    expected = np.clip(np.rint(values), 0, 255)
    difference = np.abs(everything(tmp_path / "b.zarr")[:, :, 0].astype(float) - expected)
    assert (difference <= 1).mean() >= 0.999


def test_exact_statistics_of_one_tile_are_gathered_in_one_pass(tmp_path: Path, run: Path) -> None:
    pixels = save_image(tmp_path / "a.zarr", scenery(200, 170), "yx")
    seen: list[tuple[str, int, int]] = []
    translate(
        tmp_path / "a.zarr",
        tmp_path / "b.zarr",
        options(run),
        lambda what, done, total: seen.append((what, done, total)),
    )
    expected = whole_plane(run, pixels[:, :, 0])
    assert np.abs(everything(tmp_path / "b.zarr")[:, :, 0] - expected).max() <= 5.8e-6
    assert [entry for entry in seen if entry[0] == "statistics"] == [("statistics", 1, 1)]


def test_every_plane_has_its_own_statistics(tmp_path: Path, run: Path) -> None:
    planes = np.concatenate([scenery(90, 100, seed) * (seed + 1) for seed in range(3)])
    pixels = save_image(tmp_path / "a.zarr", planes, "tyx")
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))
    single = [whole_plane(run, plane[:, 0][None]) for plane in pixels]
    assert (
        np.abs(everything(tmp_path / "b.zarr")[:, 0, 0] - np.stack(single)[:, 0, 0]).max() <= 5.8e-6
    )


def test_a_part_of_the_plane_uses_the_statistics_of_the_whole(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", scenery(200, 210), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", options(run, tile=160))
    select = Selection(Region((64, 30), (180, 201)))
    translate(tmp_path / "a.zarr", tmp_path / "part.zarr", options(run, tile=160, select=select))
    whole = everything(tmp_path / "whole.zarr")[..., 64:180, 30:201]
    assert np.array_equal(everything(tmp_path / "part.zarr"), whole)


def test_errors_need_the_statistics_of_the_way_back(tmp_path: Path, run: Path) -> None:
    pixels = save_image(tmp_path / "a.zarr", scenery(130, 140), "yx")
    chosen = options(run, tile=160, confidence=True)
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", chosen)
    there = whole_plane(run, pixels[:, :, 0])
    cycle = np.abs(whole_plane(run, there, "b2a") - pixels[:, :, 0])
    errors = everything(tmp_path / "b.zarr" / "confidence")
    assert np.allclose(errors[0, 0, 0], cycle[0, 0], atol=1e-4)


@pytest.mark.parametrize("upsampling", ["dynamic", "bilinear"])
@pytest.mark.parametrize("policy", ["auto", "frozen"])
def test_frozen_statistics_make_tiles_equal_the_whole_bit_for_bit(
    tmp_path: Path, policy: str, upsampling: str
) -> None:
    settings = INSTANCE.model_copy(update={"upsampling": upsampling})
    run = save_with_statistics(tmp_path / "run", settings)
    pixels = save_image(tmp_path / "a.zarr", scenery(200, 311), "yx")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=96, norm=policy))
    model = load_model(run)
    freeze(model.network)
    with torch.inference_mode():
        expected = model.network.translate(torch.from_numpy(pixels[:, :, 0]), "a2b").numpy()
    assert np.array_equal(everything(tmp_path / "b.zarr")[:, :, 0], expected)
    assert model.reach("a2b") == model.local_reach("a2b")
    assert report.norm == "frozen"
    assert not np.array_equal(expected, whole_plane(run, pixels[:, :, 0]))


def test_dense_statistics_have_no_seams_and_come_closer_than_those_of_single_tiles(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(norms, "CELL", 64)
    pixels = save_image(tmp_path / "a.zarr", scenery(320, 384), "yx")
    chosen = options(run, tile=160, norm="dense")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", chosen)
    dense = everything(tmp_path / "b.zarr")[0, 0, 0]
    expected = whole_plane(run, pixels[:, :, 0])[0, 0]
    single = np.zeros_like(dense)
    for part in Region.whole((320, 384)).divide((64, 64)):
        rows, columns = part.slices
        single[part.slices] = whole_plane(run, pixels[:, :, 0, rows, columns])[0, 0]
    error, naive = (float(np.sqrt(np.mean((m - expected) ** 2))) for m in (dense, single))
    assert error < naive
    assert seam(dense, expected) == pytest.approx(1, abs=0.02)
    assert seam(single, expected) > 1.05
    assert report.norm == "dense"
    provenance = open_image(tmp_path / "b.zarr").attributes["provenance"]
    assert provenance["options"]["cells"] == [5, 6]


def seam(plane: npt.NDArray[Any], whole: npt.NDArray[Any]) -> float:
    """The seam index of cells of 64 pixels, against the whole plane's."""
    rows, columns = (
        tuple(Cell(at, at + 64, at, at + 64) for at in range(0, size, 64)) for size in plane.shape
    )
    grid = TileGrid(Tiling(64, 16, 2, "crop"), rows, columns)
    return seam_index(plane[None, None], grid) / seam_index(whole[None, None], grid)


def test_any_number_of_workers_gives_the_same_files(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", scenery(120, 200), "yx")
    files = []
    for workers in (0, 2):
        hardware = Hardware(gpus=0, workers=workers)
        translate(
            tmp_path / "a.zarr",
            tmp_path / f"{workers}.zarr",
            options(run, tile=150, hardware=hardware),
        )
        files.append(array_files(tmp_path / f"{workers}.zarr"))
    assert files[0] == files[1]


def test_interrupted_work_keeps_the_passes_that_were_done(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", scenery(150, 220), "yx")
    chosen = options(run, tile=160)
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", chosen)
    seen: list[int] = []

    def stop(what: str, done: int, total: int) -> None:
        seen.append(done)
        if what == "statistics" and done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(Exception, match="interrupted"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", chosen, stop)
    kept = partial_folder(tmp_path / "b.zarr") / FOLDER
    assert [path.name for path in kept.glob("*.safetensors")] == ["0-0.safetensors"]
    first: list[int] = []
    translate(
        tmp_path / "a.zarr",
        tmp_path / "b.zarr",
        replace(chosen, resume=True),
        lambda what, done, total: first.append(done) if what == "statistics" else None,
    )
    assert first[0] > 2
    assert array_files(tmp_path / "b.zarr") == array_files(tmp_path / "whole.zarr")
    assert not kept.exists()


def test_damaged_statistics_are_gathered_again(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", scenery(100, 300), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", options(run))
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, part=(0, 2)))
    file = partial_folder(tmp_path / "b.zarr") / FOLDER / "0-0.safetensors"
    file.write_bytes(file.read_bytes()[:50])
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, part=(1, 2)))
    assert array_files(tmp_path / "b.zarr") == array_files(tmp_path / "whole.zarr")


def test_pixels_that_are_no_numbers_do_not_spoil_the_statistics(tmp_path: Path, run: Path) -> None:
    pixels = scenery(200, 220)
    pixels[0, 0, 0, 100, 100] = np.nan
    save_image(tmp_path / "a.zarr", pixels, "yx")
    translate(
        tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=160, normalize="training")
    )
    rows, columns = np.nonzero(np.isnan(everything(tmp_path / "b.zarr")[0, 0, 0]))
    assert rows.size
    reach = load_model(run).local_reach("a2b")
    assert np.abs(np.stack([rows, columns]) - 100).max() <= reach


def test_a_tile_that_cannot_be_read_is_named(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", scenery(300, 300), "yx")
    shard = tmp_path / "a.zarr" / "0" / "c" / "2" / "2"
    shard.write_bytes(shard.read_bytes()[:60])
    with pytest.raises(WorkFailed, match="gathering norm statistics failed at t=0 z=0"):
        translate(
            tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, normalize="training", tile=160)
        )


def test_statistics_that_are_not_there_are_refused_before_work(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", scenery(100, 100), "yx")
    with pytest.raises(ModelError, match="--norm exact"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, norm="frozen"))
    with pytest.raises(InputError, match="--compile"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, compile=True))


def test_cells_grow_where_their_statistics_would_fill_the_memory(run: Path) -> None:
    model, chosen = load_model(run), options(run, norm="dense")
    sides = []
    for side in (1000, 400_000):
        tiling = Tiling(1024, 20, 2, "crop")
        survey = norms.plan_survey(model, chosen, "dense", (side, side), tiling)
        assert survey is not None
        cells = len(survey.grid.rows) * len(survey.grid.columns)
        channels = sum(layer.num_features for layer in instance_norms(model.network).values()) / 2
        assert cells * channels * 8 <= norms.TABLE_BYTES
        sides.append(survey.grid.rows[0].stop)
    assert sides[0] <= norms.CELL < sides[1]
