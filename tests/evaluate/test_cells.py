from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from skimage.draw import disk
from stable_tiles_cli.main import main

from stable_tiles.errors import InputError
from stable_tiles.evaluate import parts
from stable_tiles.evaluate.cells import RoiOptions, RoiReport, evaluate_rois
from stable_tiles.evaluate.summary import summarize
from tests.image.stores import write_store

DIAMETER = 12.0


def discs(
    *centres: tuple[float, float], shape: tuple[int, int] = (96, 128)
) -> npt.NDArray[np.uint16]:
    """A label image with a disc at every centre."""
    labels = np.zeros(shape, np.uint16)
    for number, centre in enumerate(centres, 1):
        pixels = disk(centre, DIAMETER / 2, shape=shape)  # type: ignore[no-untyped-call]  # scikit-image
        labels[pixels] = number
    return labels


def compared(
    folder: Path, reference: npt.NDArray[np.uint16], found: npt.NDArray[np.uint16]
) -> RoiReport:
    """Two label images, compared as the images and as their own labels."""
    paths = [folder / "reference.zarr", folder / "found.zarr"]
    for path, labels in zip(paths, (reference, found), strict=True):
        write_store(path, labels)
    options = RoiOptions(DIAMETER, labels_input=paths[0], labels_output=paths[1])
    return evaluate_rois(paths[0], paths[1], options)


def test_equal_labels_agree_in_everything(tmp_path: Path) -> None:
    labels = discs((20, 20), (20, 60), (70, 100))
    report = compared(tmp_path, labels, labels)
    assert report.metrics["distance"].values == (0, 0, 0)
    assert report.metrics["iou"].values == (1, 1, 1)
    assert (report.count_input, report.count_output) == (3, 3)
    assert report.intensity_pcc == pytest.approx(1)


def test_a_shifted_cell_is_as_far_as_it_was_moved(tmp_path: Path) -> None:
    before, after = discs((20, 20), (70, 90)), discs((20, 20), (73, 94))
    report = compared(tmp_path, before, after)
    both, either = ((before == 2) & (after == 2)).sum(), ((before == 2) | (after == 2)).sum()
    assert report.metrics["distance"].values == pytest.approx((0, 5))
    assert report.metrics["iou"].values == pytest.approx((1, both / either))


def test_a_missing_cell_is_matched_with_its_nearest_neighbour(tmp_path: Path) -> None:
    report = compared(tmp_path, discs((20, 20), (20, 50)), discs((20, 20)))
    assert report.metrics["distance"].values == pytest.approx((0, 30))
    assert report.metrics["iou"].values == (1, 0)
    assert (report.count_input, report.count_output) == (2, 1)


def test_two_merged_cells_are_one_found_cell_that_both_match(tmp_path: Path) -> None:
    apart = discs((40, 40), (40, 50))
    report = compared(tmp_path, apart, (apart > 0).astype(np.uint16))
    assert report.count_output == 1
    assert sum(report.metrics["iou"].values) == pytest.approx(1, abs=1e-9)


def test_a_split_cell_matches_its_nearer_half(tmp_path: Path) -> None:
    whole = discs((40, 40))
    halves = whole.copy()
    halves[:, 40:][whole[:, 40:] > 0] = 2
    report = compared(tmp_path, whole, halves)
    area = np.count_nonzero(whole)
    shares = {np.count_nonzero(halves == n) / area for n in (1, 2)}
    assert report.count_output == 2
    assert report.metrics["iou"].values[0] in [pytest.approx(share) for share in shares]


def test_nothing_found_is_no_distance_and_no_overlap(tmp_path: Path) -> None:
    report = compared(tmp_path, discs((40, 40)), discs())
    assert np.isnan(report.metrics["distance"].values[0])
    assert report.metrics["iou"].values == (0,)
    assert np.isnan(report.intensity_pcc)


def test_bright_and_dim_discs_are_found_where_they_are(tmp_path: Path) -> None:
    centres = ((20, 20), (20, 60), (60, 30), (70, 100), (40, 90))
    labels = discs(*centres)
    light = np.array([100, 400, 900, 300, 600, 500])[labels] + np.random.default_rng(0).normal(
        0, 10, labels.shape
    )
    image = write_store(tmp_path / "image.zarr", light.clip(0).astype(np.uint16))
    truth = write_store(tmp_path / "truth.zarr", labels)
    report = evaluate_rois(image.path, image.path, RoiOptions(DIAMETER, labels_input=truth.path))
    assert report.count_output == len(centres)
    assert max(report.metrics["distance"].values) < 0.5
    assert min(report.metrics["iou"].values) > 0.85
    assert report.intensity_pcc > 0.999


def test_the_parts_that_planes_are_read_in_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    centres = [
        (y + rng.uniform(-3, 3), x + rng.uniform(-3, 3))
        for y in range(12, 90, 18)
        for x in range(12, 120, 18)
    ]
    labels = discs(*centres)
    once = compared(tmp_path / "once", labels, labels)
    monkeypatch.setattr(parts, "PART", 40)
    parted = compared(tmp_path / "parted", labels, labels)
    assert parted.count_input == once.count_input == len(centres)
    assert parted.metrics["distance"].values == (0,) * len(centres)
    assert parted.metrics["iou"].values == (1,) * len(centres)


@pytest.mark.parametrize("x", [39.0, 39.5, 39.75, 40.0, 40.25])
def test_a_cell_on_the_border_of_two_parts_is_counted_once(
    tmp_path: Path, x: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART", 40)
    labels = discs((20, x), (40, x), (79.5, x))
    assert compared(tmp_path, labels, labels).count_input == 3


def test_planes_are_matched_with_their_own_only(tmp_path: Path) -> None:
    both = np.stack([discs((20, 20)), discs((70, 90))])
    path = tmp_path / "a.zarr"
    write_store(path, both, "tyx")
    swapped = tmp_path / "b.zarr"
    write_store(swapped, both[::-1].copy(), "tyx")
    options = RoiOptions(DIAMETER, labels_input=path, labels_output=swapped, over_time="each")
    report = evaluate_rois(path, swapped, options)
    assert report.metrics["distance"].values == pytest.approx([np.hypot(50, 70)] * 2)


def test_images_of_other_sizes_and_unknown_channels_are_refused(tmp_path: Path) -> None:
    a = write_store(tmp_path / "a.zarr", np.zeros((90, 90), np.uint8))
    b = write_store(tmp_path / "b.zarr", np.zeros((80, 90), np.uint8))
    with pytest.raises(InputError, match="one scene"):
        evaluate_rois(a.path, b.path)
    with pytest.raises(InputError, match="channel 1"):
        evaluate_rois(a.path, a.path, RoiOptions(channel_input=1))


def test_the_command_prints_one_json_document(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write_store(path, discs((20, 20), (70, 90)))
    words = ["evaluate", "rois", path, path, "--labels-input", path, "--diameter", "12"]
    result = CliRunner().invoke(main, [*map(str, words), "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)["metrics"]
    assert metrics["distance"]["n"] == 2
    assert {"n", "mean", "median", "sd", "sem", "ci95", "values"} == metrics["iou"].keys()


def test_a_summary_is_what_scipy_says() -> None:
    values = [1.0, 2.0, 4.0, 8.0, float("nan")]
    summary = summarize(values)
    assert (summary.n, summary.mean, summary.median) == (4, 3.75, 3.0)
    assert summary.sd == pytest.approx(3.0956959)
    assert summary.sem == pytest.approx(summary.sd / 2)
    assert summary.ci95 == pytest.approx((-1.1759, 8.6759), abs=1e-3)
    assert len(summary.values) == 5
