from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from stable_tiles.errors import InputError, MissingExtra
from stable_tiles.evaluate.cells import RoiOptions, RoiReport, evaluate_rois
from stable_tiles.evaluate.onnx import OnnxOptions
from stable_tiles.evaluate.segmenters import SegmentOptions, fit_segmenter
from tests.image.stores import write_store

UNMICST = OnnxOptions(diameter=20, mean=0.19808180266398068, sd=0.16236284911018245)


def measured(
    folder: Path, annotated: Path, segment: SegmentOptions, images: str = "*_image.tif"
) -> list[RoiReport]:
    """Found nuclei against annotated ones; the diameter is the annotation's median."""
    reports = []
    for number, path in enumerate(sorted(annotated.glob(images))):
        image = tifffile.imread(path)
        labels = tifffile.imread(path.with_name(path.name.replace("_image", "_labels")))
        areas = np.bincount(labels.ravel())[1:]
        diameter = float(2 * np.sqrt(np.median(areas[areas > 0]) / np.pi))
        store = write_store(folder / f"{number}.zarr", image, chunk=512, shard=1024).path
        truth = write_store(folder / f"{number}_labels.zarr", labels, chunk=512, shard=1024).path
        options = RoiOptions(diameter, labels_input=truth, segment=segment)
        reports.append(evaluate_rois(store, store, options))
    return reports


def pooled(reports: Sequence[RoiReport]) -> float:
    """F1 of all nuclei of all images together."""
    agree = sum(r.recall * r.count_input for r in reports)
    return 2 * agree / sum(r.count_input + r.count_output for r in reports)


def test_the_classical_segmenter_finds_annotated_nuclei(tmp_path: Path, shared_data: Path) -> None:
    reports = measured(tmp_path, shared_data / "7_models" / "nuclei_annotated", SegmentOptions())
    assert len(reports) == 16
    assert pooled(reports) >= 0.88
    assert np.median([report.f1 for report in reports]) >= 0.9


def test_an_onnx_model_finds_annotated_nuclei(tmp_path: Path, shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = shared_data / "7_models" / "unmicst_nucleiDAPI.onnx"
    segment = SegmentOptions(str(model), onnx=UNMICST)
    annotated = shared_data / "7_models" / "nuclei_annotated"
    reports = measured(tmp_path, annotated, segment, "val_*_image.tif")
    assert len(reports) == 3
    assert pooled(reports) >= 0.85
    assert np.median([report.f1 for report in reports]) >= 0.9


def test_an_onnx_model_gives_the_published_probabilities(shared_data: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = shared_data / "7_models"
    plane = tifffile.imread(folder / "unmicst_ref" / "105_dapi.tif").astype(np.float32)
    options = SegmentOptions(
        str(folder / "unmicst_nucleiDAPI.onnx"), onnx=OnnxOptions(None, UNMICST.mean, UNMICST.sd)
    )
    labels = fit_segmenter(options, 16, [plane])(plane)
    nuclei = tifffile.imread(folder / "unmicst_ref" / "105_NucleiPM.tif")[0] > 127
    assert (labels[nuclei] > 0).mean() > 0.95
    assert labels.max() > 300


@pytest.mark.parametrize(
    ("package", "segment"),
    [
        ("onnxruntime", SegmentOptions("model.onnx")),
        ("cellpose", SegmentOptions("cellpose", Path("model"))),
    ],
)
def test_a_missing_package_is_one_line_with_the_install_line(
    package: str, segment: SegmentOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = builtins.__import__

    def without(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        if name == package:
            raise ImportError(name)
        return known(name, globals_, locals_, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"pip install 'stable-tiles\["):
        fit_segmenter(segment, 16, [np.ones((9, 9), np.float32)])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    sample = [np.ones((9, 9), np.float32)]
    with pytest.raises(InputError, match="check --segmenter"):
        fit_segmenter(SegmentOptions(str(tmp_path / "none.onnx")), 16, sample)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(InputError, match="no ONNX model"):
        fit_segmenter(SegmentOptions(str(broken)), 16, sample)
    with pytest.raises(InputError, match="give classical"):
        SegmentOptions("stardist")
    with pytest.raises(InputError, match="--cellpose-model"):
        SegmentOptions("cellpose")
    with pytest.raises(InputError, match="--onnx-sd"):
        OnnxOptions(sd=0)
