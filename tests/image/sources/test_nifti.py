from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import numpy.typing as npt
import pytest

from stable_tiles.errors import NotAnImage, WorkFailed
from stable_tiles.image.sources import SourceOptions, SourceWarning
from stable_tiles.image.sources.nifti import NiftiSource
from stable_tiles.region import Region

nibabel: Any = untyped_nibabel
AFFINE = np.array([[1.5, 0.2, 0, -90], [-0.2, 1.5, 0.1, -120], [0, -0.1, 3, -70], [0, 0, 0, 1]])


def save(
    path: Path,
    pixels: npt.NDArray[Any],
    *,
    version: int = 1,
    units: tuple[str, str] = ("mm", "sec"),
) -> Path:
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    image = kind(pixels, AFFINE, dtype=pixels.dtype)
    image.header.set_xyzt_units(*units)
    nibabel.save(image, path)
    return path


def whole(source: NiftiSource) -> npt.NDArray[Any]:
    t, _, z, y, x = source.description.shape
    return source.read(Region.whole((t, z, y, x)))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64", "uint16"])
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (7, 5, 3, 2), (7, 5, 3, 2, 4)])
def test_voxels_are_those_of_the_file(
    tmp_path: Path, suffix: str, version: int, dtype: str, shape: tuple[int, ...]
) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    source = NiftiSource(save(tmp_path / f"a{suffix}", pixels, version=version), SourceOptions())
    five = pixels.reshape(*shape, *[1] * (5 - len(shape)))
    expected = np.transpose(five, (3, 4, 2, 1, 0))
    assert source.description.shape == expected.shape
    assert np.array_equal(whole(source), expected)
    y0, x0 = 1, 2
    part = Region((0, 0, y0, x0), (1, 1, 4, 6))
    assert np.array_equal(source.read(part), expected[:1, :, :1, y0:4, x0:6])
    source.close()


def test_big_endian_voxels_come_in_native_order(tmp_path: Path) -> None:
    pixels = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4), header), path)
    assert path.read_bytes()[:4] == (348).to_bytes(4, "big")
    source = NiftiSource(path, SourceOptions())
    assert source.description.dtype.isnative
    assert np.array_equal(whole(source)[0, 0], pixels.T)
    source.close()


def test_scaled_integers_stay_integers_and_keep_slope_and_intercept(tmp_path: Path) -> None:
    values = np.linspace(-3, 9, 60).reshape(5, 4, 3)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(values, AFFINE, header), path)
    loaded = nibabel.load(path)
    source = NiftiSource(path, SourceOptions())
    nifti = source.description.nifti
    assert nifti is not None
    assert source.description.dtype == np.int16
    stored = whole(source)[0, 0].T
    assert np.array_equal(stored, loaded.dataobj.get_unscaled())
    assert np.allclose(stored * nifti.slope + nifti.inter, np.asarray(loaded.dataobj))
    source.close()


def test_the_header_and_an_oblique_affine_survive(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", np.zeros((5, 4, 3), np.int16))
    source = NiftiSource(path, SourceOptions())
    nifti = source.description.nifti
    assert nifti is not None
    assert nifti.raw == path.read_bytes()[:348]
    assert np.allclose(nifti.fields["affine"], AFFINE)
    assert json.loads(json.dumps(nifti.fields, allow_nan=False)) == nifti.fields
    assert source.description.axes.units["z"] == "millimeter"
    zooms = nibabel.affines.voxel_sizes(AFFINE)
    assert source.description.axes.scale == pytest.approx(
        dict(zip("xyz", zooms, strict=True)), rel=1e-6
    )


@pytest.mark.parametrize(
    ("units", "space", "time"),
    [
        (("mm", "msec"), "millimeter", "millisecond"),
        (("micron", "sec"), "micrometer", "second"),
        (("unknown", "hz"), None, None),
    ],
)
def test_units_are_spelled_as_ngff_does(
    tmp_path: Path, units: tuple[str, str], space: str | None, time: str | None
) -> None:
    pixels = np.zeros((4, 3, 2, 5), np.uint8)
    source = NiftiSource(save(tmp_path / "a.nii", pixels, units=units), SourceOptions())
    assert source.description.axes.units == {"t": time, "z": space, "y": space, "x": space}


def test_the_inflated_voxels_leave_nothing_behind(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", np.ones((5, 4, 3), np.int16))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    source = NiftiSource(path, SourceOptions(scratch=scratch))
    whole(source)
    assert not os.listdir(scratch)
    source.close()


def test_extensions_are_dropped_with_a_warning(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((4, 3, 2), np.uint8), np.eye(4))
    extension = nibabel.nifti1.Nifti1Extension("comment", b"patient: somebody")
    image.header.extensions.append(extension)
    path = tmp_path / "a.nii"
    nibabel.save(image, path)
    with pytest.warns(SourceWarning, match="extensions are dropped"):
        source = NiftiSource(path, SourceOptions())
    assert source.description.nifti is not None
    assert b"somebody" not in source.description.nifti.raw
    assert not whole(source).any()
    source.close()


def test_a_pair_of_header_and_image_is_read(tmp_path: Path) -> None:
    pixels = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    nibabel.save(nibabel.Nifti1Pair(pixels, np.eye(4)), tmp_path / "a.hdr")
    source = NiftiSource(tmp_path / "a.hdr", SourceOptions())
    assert np.array_equal(whole(source)[0, 0], pixels.T)
    assert {f.name for f in source.description.files} == {"a.hdr", "a.img"}
    source.close()
    (tmp_path / "a.img").unlink()
    with pytest.raises(NotAnImage, match=r"its \.img file is missing"):
        NiftiSource(tmp_path / "a.hdr", SourceOptions())


def test_truncated_voxels_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", np.zeros((9, 9, 9), np.int16))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NotAnImage, match="truncated"):
        NiftiSource(path, SourceOptions())


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_truncated_gzip_stream_is_named(tmp_path: Path, share: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 1000, (20, 20, 20), np.int16)
    path = save(tmp_path / "a.nii.gz", pixels)
    stream = path.read_bytes()
    path.write_bytes(stream[: int(len(stream) * share)])
    source = NiftiSource(path, SourceOptions())
    with pytest.raises(WorkFailed, match=r"a\.nii\.gz"):
        whole(source)


def test_a_header_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", np.zeros((9, 9, 9), np.int16))
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[42:48] = np.array([32000, 32000, 32000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(NotAnImage, match="truncated"):
        NiftiSource(path, SourceOptions())


@pytest.mark.parametrize("dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_voxels_that_are_no_real_numbers_are_refused(tmp_path: Path, dtype: Any) -> None:
    path = save(tmp_path / "a.nii", np.zeros((4, 3, 2), np.dtype(dtype)))
    with pytest.raises(NotAnImage, match="only real numbers"):
        NiftiSource(path, SourceOptions())


def test_real_volumes_equal_nibabel(shared_data: Path) -> None:
    for name in ("icbm152_avg/avg152PD.nii", "tcga_DU-7294/fla.nii.gz"):
        path = shared_data / "4_mri" / name
        source = NiftiSource(path, SourceOptions())
        oracle = np.asarray(nibabel.load(path).dataobj.get_unscaled()).T
        assert np.array_equal(whole(source)[0, 0], oracle)
        source.close()
