from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import MissingExtra, NotAnImage
from stable_tiles.image.sources.slide import SlideSource
from stable_tiles.region import Region


def plain_dicom(shared_data: Path, folder: Path) -> Path:
    """The DICOM slide without the TIFF header that its preamble holds."""
    data = (shared_data / "1_wsi" / "cptac-brca_level3.dcm").read_bytes()
    path = folder / "slide.dcm"
    path.write_bytes(bytes(128) + data[128:])
    return path


def test_a_dicom_slide_equals_openslide_and_names_nobody(shared_data: Path, tmp_path: Path) -> None:
    openslide = pytest.importorskip("openslide")
    path = plain_dicom(shared_data, tmp_path)
    source = SlideSource(path)
    described = source.description
    assert described.shape == (1, 3, 1, 1547, 1680)
    assert described.is_rgb
    assert described.axes.units["x"] == "micrometer"
    assert set(described.metadata) <= {"format", "objective"}
    with openslide.OpenSlide(str(path)) as slide:
        rgba = np.asarray(slide.read_region((100, 200), 0, (300, 400)))
    box = source.read(Region((0, 0, 200, 100), (1, 1, 600, 400)))
    assert np.array_equal(box[0, :, 0], np.moveaxis(rgba[..., :3], -1, 0))
    source.close()


def test_what_openslide_does_not_know_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    path = tmp_path / "a.mrxs"
    path.write_bytes(b"nothing")
    with pytest.raises(NotAnImage, match=r"a\.mrxs is no slide"):
        SlideSource(path)


def test_without_openslide_the_install_line_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stable-tiles\[slide\]'"):
        SlideSource(tmp_path / "a.mrxs")
