from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from skimage.metrics import (
    mean_squared_error,
    peak_signal_noise_ratio,
    structural_similarity,
)
from stable_tiles_cli.main import main

from stable_tiles.errors import InputError
from stable_tiles.evaluate import images, parts
from stable_tiles.evaluate.images import ImageOptions, ImageReport, correlation, evaluate_images
from tests.image.stores import write_store

RNG = np.random.default_rng(0)
Array = npt.NDArray[Any]


def pair(folder: Path, guess: Array, truth: Array, axes: str = "yx") -> tuple[str, str]:
    """Two stores of these pixels."""
    folder.mkdir(exist_ok=True)
    return (
        write_store(folder / "guess.zarr", guess, axes).path,
        write_store(folder / "truth.zarr", truth, axes).path,
    )


def oracle(guess: Array, truth: Array, data_range: float) -> dict[str, float]:
    """What scikit-image and SciPy say of one plane, (c, y, x)."""
    x, y = guess.astype(np.float64), truth.astype(np.float64)
    return {
        "rmse": mean_squared_error(y, x) ** 0.5,
        "mae": np.abs(x - y).mean(),
        "psnr": peak_signal_noise_ratio(y, x, data_range=data_range),  # type: ignore[no-untyped-call]  # scikit-image
        "ssim": structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image
            y, x, data_range=data_range, channel_axis=0
        ),
        "pcc": pearsonr(x.ravel(), y.ravel()).statistic,
    }


def check(report: ImageReport, plane: int, expected: dict[str, float]) -> None:
    for name, value in expected.items():
        assert report.metrics[name].values[plane] == pytest.approx(value, abs=1e-6, rel=1e-9), name


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_metric_of_every_plane_is_that_of_its_reference(tmp_path: Path, dtype: str) -> None:
    truth = RNG.integers(40, 200, (2, 2, 2, 75, 140)).astype(dtype)
    guess = (truth + RNG.normal(0, 12, truth.shape)).clip(0, 255).astype(dtype)
    report = evaluate_images(*pair(tmp_path, guess, truth, "tczyx"))
    data_range = 255.0 if dtype == "uint8" else float(truth.max()) - float(truth.min())
    assert report.data_range == data_range
    for plane, (t, z) in enumerate(np.ndindex(2, 2)):
        check(report, plane, oracle(guess[t, :, z], truth[t, :, z], data_range))
    for channel in range(2):
        alone = report.channels[f"c{channel}"]["ssim"].values[0]
        once = oracle(guess[0, channel : channel + 1, 0], truth[0, channel : channel + 1, 0], 1.0)
        assert report.channels[f"c{channel}"]["pcc"].values[0] == pytest.approx(once["pcc"])
        assert 0 < alone < 1


@given(
    tile=st.integers(5, 90),
    part=st.integers(7, 120),
    shape=st.tuples(st.integers(7, 80), st.integers(7, 80)),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=25)
def test_tiles_and_parts_of_any_size_give_the_metrics_of_the_whole_plane(
    tmp_path_factory: pytest.TempPathFactory,
    tile: int,
    part: int,
    shape: tuple[int, int],
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(60000, 60100, shape).astype(np.uint16)
    guess = (truth + rng.normal(0, 9, shape)).astype(np.uint16)
    paths = pair(tmp_path_factory.mktemp("tiles"), guess, truth)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(images, "TILE", tile)
        patched.setattr(parts, "PART", part)
        report = evaluate_images(*paths)
    check(report, 0, oracle(guess[None], truth[None], report.data_range))


def test_real_images_and_colours_equal_their_references(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "TILE", 200)
    colour = tifffile.imread(shared_data / "2_fluo_he" / "he" / "skin_he.tif")[:300, :420]
    truth = np.ascontiguousarray(np.moveaxis(colour, -1, 0))
    guess = (truth * 0.9 + 5).astype(np.uint8)
    report = evaluate_images(*pair(tmp_path / "he", guess, truth, "cyx"))
    check(report, 0, oracle(guess, truth, 255))
    dapi = tifffile.imread(shared_data / "2_fluo_he" / "fluo" / "unmicst_105_dapi.tif")
    report = evaluate_images(*pair(tmp_path / "dapi", dapi[::-1].copy(), dapi))
    check(report, 0, oracle(dapi[None, ::-1], dapi[None], report.data_range))


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_percentiles_become_zero_and_one_in_float64(tmp_path: Path, dtype: str) -> None:
    truth = RNG.gamma(2, 300, (2, 90, 70)).astype(dtype)
    guess = (truth * 3 + RNG.normal(500, 90, truth.shape)).clip(0).astype(dtype)
    options = ImageOptions(normalize="percentile")
    report = evaluate_images(*pair(tmp_path, guess, truth, "zyx"), options)
    scaled = []
    for image in (guess, truth):
        low, high = np.percentile(image.astype(np.float64), (0.1, 99.9))
        scaled.append((image.astype(np.float64) - low) / (high - low))
    assert report.data_range == 1
    for z in range(2):
        check(report, z, oracle(scaled[0][z][None], scaled[1][z][None], 1.0))


def test_equal_images_differ_in_nothing(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 999, (80, 80)).astype(np.uint16)
    report = evaluate_images(*pair(tmp_path, pixels, pixels))
    values = {name: summary.values[0] for name, summary in report.metrics.items()}
    assert values == {"rmse": 0, "mae": 0, "psnr": np.inf, "ssim": 1, "pcc": pytest.approx(1)}
    assert report.metrics["psnr"].n == 0


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_constant_image_has_no_correlation_and_equals_itself(
    tmp_path: Path, value: float
) -> None:
    flat = np.full((700, 90), value, np.float32)
    report = evaluate_images(*pair(tmp_path, flat, flat))
    assert report.data_range == 1
    assert report.metrics["ssim"].values == (1,)
    assert report.metrics["psnr"].values == (np.inf,)
    assert np.isnan(report.metrics["pcc"].values[0])
    shifted = evaluate_images(*pair(tmp_path / "b", flat + np.float32(0.5), flat))
    assert shifted.metrics["rmse"].values[0] == pytest.approx(0.5)
    assert shifted.metrics["psnr"].values[0] == pytest.approx(20 * np.log10(2))
    assert np.isnan(shifted.metrics["pcc"].values[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_leaves_its_plane_unmeasured(tmp_path: Path, bad: float) -> None:
    truth = RNG.normal(0, 1, (2, 600, 40)).astype(np.float32)
    guess = truth.copy()
    guess[0, 511, 7] = bad
    report = evaluate_images(*pair(tmp_path, guess, truth + 1, "zyx"))
    for name, summary in report.metrics.items():
        assert np.isnan(summary.values[0]), name
        assert np.isfinite(summary.values[1]), name
        assert summary.n == 1


def test_a_plane_smaller_than_a_window_has_no_structural_similarity(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (6, 50)).astype(np.uint8)
    report = evaluate_images(*pair(tmp_path, 255 - pixels, pixels))
    assert np.isnan(report.metrics["ssim"].values[0])
    assert report.metrics["pcc"].values[0] == pytest.approx(-1)


def test_the_data_range_can_be_given(tmp_path: Path) -> None:
    truth = RNG.integers(0, 1000, (40, 40)).astype(np.uint16)
    paths = pair(tmp_path, truth + 10, truth)
    given_ = evaluate_images(*paths, ImageOptions(data_range=4095.0))
    check(given_, 0, oracle(truth[None] + 10, truth[None], 4095))
    assert evaluate_images(*paths, ImageOptions(data_range="dtype")).data_range == 65535
    with pytest.raises(InputError, match="above 0"):
        evaluate_images(*paths, ImageOptions(data_range=0.0))
    with pytest.raises(InputError, match="range 1"):
        evaluate_images(*paths, ImageOptions("percentile", "dtype"))


def test_correlation_equals_numpy_channel_by_channel(tmp_path: Path) -> None:
    truth = RNG.integers(30000, 31000, (2, 2, 200, 150)).astype(np.uint16)
    guess = (truth + RNG.normal(0, 300, truth.shape)).astype(np.uint16)
    found = correlation(
        write_store(tmp_path / "a.zarr", guess, "tcyx"),
        write_store(tmp_path / "b.zarr", truth, "tcyx"),
    )
    for channel, value in enumerate(found):
        planes = guess[:, channel].ravel(), truth[:, channel].ravel()
        assert value == pytest.approx(np.corrcoef(*planes)[0, 1], abs=1e-9)


def test_images_of_other_shapes_are_refused(tmp_path: Path) -> None:
    a = write_store(tmp_path / "a.zarr", np.zeros((90, 90), np.uint8))
    b = write_store(tmp_path / "b.zarr", np.zeros((90, 91), np.uint8))
    with pytest.raises(InputError, match="one shape"):
        correlation(a, b)
    with pytest.raises(InputError, match="one shape"):
        evaluate_images(a.path, b.path)


def test_the_command_prints_the_documented_json(tmp_path: Path) -> None:
    truth = RNG.integers(0, 255, (3, 60, 50)).astype(np.uint8)
    paths = pair(tmp_path, truth, truth, "tyx")
    words = ["evaluate", "images", *paths, "--normalize", "percentile", "--json", "--quiet"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)["metrics"]
    assert set(metrics) == {"rmse", "mae", "psnr", "ssim", "pcc"}
    for summary in metrics.values():
        assert {"n", "mean", "median", "sd", "sem", "ci95", "values"} == summary.keys()
        assert len(summary["values"]) == 3
    assert metrics["psnr"]["values"] == [None] * 3
    assert metrics["rmse"]["ci95"] == [0, 0]
