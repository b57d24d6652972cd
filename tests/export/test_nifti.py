from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.export import export
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import create_store
from stable_tiles.region import Region
from tests.image.stores import write_store

nibabel: Any = untyped_nibabel
RNG = np.random.default_rng(5)
OBLIQUE = np.array([[1.4, 0.3, 0.1, -90], [-0.3, 1.4, 0.2, -120], [0, -0.2, 3, -70], [0, 0, 0, 1]])


def fields_that_differ(one: Any, other: Any) -> list[str]:
    return [name for name in one.keys() if one[name].tobytes() != other[name].tobytes()]  # noqa: SIM118  # no mapping


def volume(
    path: Path, shape: tuple[int, ...], dtype: str, version: int = 1, endian: Any = "<"
) -> Path:
    kind = nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(endian))
    header.set_xyzt_units("mm", "msec")
    header["descrip"] = b"kept as it is"
    header["intent_name"] = b"intent"
    header["toffset"] = 12.5
    image = kind(RNG.normal(100, 30, shape), OBLIQUE, header)
    image.set_qform(OBLIQUE, 3, strip_shears=True)
    nibabel.save(image, path)
    return path


@settings(deadline=None, max_examples=15)
@given(
    dtype=st.sampled_from(["int16", "uint8", "float32", "float64", "uint16", "int32"]),
    shape=st.sampled_from([(7, 5), (7, 5, 3), (7, 5, 3, 2), (7, 5, 3, 2, 4), (9, 8, 1, 5)]),
    version=st.sampled_from([1, 2]),
    endian=st.sampled_from(["<", ">"]),
    suffixes=st.tuples(st.sampled_from([".nii", ".nii.gz"]), st.sampled_from([".nii", ".nii.gz"])),
)
def test_nifti_to_store_to_nifti_keeps_voxels_affine_zooms_and_every_field(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: str,
    shape: tuple[int, ...],
    version: int,
    endian: str,
    suffixes: tuple[str, str],
) -> None:
    folder = tmp_path_factory.mktemp("nifti")
    path = volume(folder / f"a{suffixes[0]}", shape, dtype, version, endian)
    convert(path, folder / "a.zarr")
    back = folder / f"b{suffixes[1]}"
    export(folder / "a.zarr", back)
    one, other = nibabel.load(path), nibabel.load(back)
    assert type(one) is type(other)
    assert np.array_equal(one.dataobj.get_unscaled(), other.dataobj.get_unscaled())
    assert np.array_equal(one.get_fdata(), other.get_fdata())
    assert np.array_equal(one.affine, other.affine)
    assert one.header.get_zooms() == other.header.get_zooms()
    assert fields_that_differ(one.header, other.header) == []


@pytest.mark.parametrize(
    "name",
    [
        "4_mri/single_subj_T1.nii",
        "4_mri/icbm152_avg/avg152T2.nii",
        "8_formats/nifti/example4d.nii.gz",
        "8_formats/nifti/functional.nii",
        "8_formats/nifti/example_nifti2.nii.gz",
        "8_formats/nifti/anatomical.nii",
    ],
)
@pytest.mark.filterwarnings("ignore:.*header extensions are dropped")
def test_real_volumes_come_back(tmp_path: Path, shared_data: Path, name: str) -> None:
    path = shared_data / name
    said = Said() if "functional" in name or "4d" in name else Said(unit="mm")
    try:
        convert(path, tmp_path / "a.zarr", ConvertOptions(said))
    except ValueError:  # the file states its units itself
        convert(path, tmp_path / "a.zarr")
    export(tmp_path / "a.zarr", tmp_path / "b.nii")
    one, other = nibabel.load(path), nibabel.load(tmp_path / "b.nii")
    assert np.array_equal(one.dataobj.get_unscaled(), other.dataobj.get_unscaled())
    assert np.array_equal(one.affine, other.affine)
    assert fields_that_differ(one.header, other.header) in ([], ["vox_offset"])


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 3)])
def test_a_part_of_a_volume_stays_in_its_place(tmp_path: Path, codes: tuple[int, int]) -> None:
    path = volume(tmp_path / "a.nii", (20, 30, 4), "int16")
    image = nibabel.load(path)
    image.set_sform(image.affine, codes[0])
    image.set_qform(image.affine, codes[1])
    nibabel.save(image, tmp_path / "b.nii")
    options = ConvertOptions(region=Region((6, 5), (16, 17)))
    convert(tmp_path / "b.nii", tmp_path / "a.zarr", options)
    export(tmp_path / "a.zarr", tmp_path / "c.nii")
    part, whole = nibabel.load(tmp_path / "c.nii"), nibabel.load(tmp_path / "b.nii")
    assert part.shape == (12, 10, 4)
    assert np.allclose(part.affine, whole.slicer[5:17, 6:16].affine, atol=1e-4)
    assert np.array_equal(part.get_fdata(), whole.get_fdata()[5:17, 6:16])


def translation(source: Path, target: Path, dtype: str, channels: int) -> npt.NDArray[Any]:
    """A store such as a translation leaves: other pixels, the same header, no scaling."""
    image = open_image(source)
    t, _, z, y, x = image.shape
    pixels = RNG.normal(0, 9, (t, channels, z, y, x)).astype(dtype)
    axes = "".join(n for n in "tczyx" if n in image.axes.names or (n == "c" and channels > 1))
    write_store(target, pixels.reshape([n for n in pixels.shape if n > 1]), axes)
    import zarr

    group = zarr.open_group(str(target), mode="r+")
    stored: Any = group.attrs["stable_tiles"]
    attributes = dict(stored)
    attributes |= {"kind": "translation", "nifti": image.attributes["nifti"]}
    group.attrs["stable_tiles"] = attributes
    header = zarr.open_group(str(source), mode="r")["nifti"]
    assert isinstance(header, zarr.Array)
    group.create_array("nifti", data=np.asarray(header[...]))
    return pixels


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_translated_volume_keeps_the_affine_and_drops_the_sources_scaling(
    tmp_path: Path, dtype: str, channels: int
) -> None:
    path = volume(tmp_path / "a.nii", (9, 8, 4), "int16")
    convert(path, tmp_path / "a.zarr")
    pixels = translation(tmp_path / "a.zarr", tmp_path / "b.zarr", dtype, channels)
    export(tmp_path / "b.zarr", tmp_path / "b.nii.gz")
    found = nibabel.load(tmp_path / "b.nii.gz")
    assert np.array_equal(found.affine, nibabel.load(path).affine)
    assert found.get_data_dtype() == dtype
    assert np.array_equal(found.get_fdata().squeeze(), pixels.T.squeeze().astype(float))
    assert found.header["descrip"].item().startswith(b"kept")


def test_a_store_without_a_header_gets_one_from_its_scale(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 99, (3, 2, 5, 40, 30)).astype(np.uint16)
    write_store(tmp_path / "a.zarr", pixels, "tczyx")
    export(tmp_path / "a.zarr", tmp_path / "a.nii.gz")
    found = nibabel.load(tmp_path / "a.nii.gz")
    assert found.shape == (30, 40, 5, 3, 2)
    assert np.array_equal(np.asarray(found.dataobj).transpose(3, 4, 2, 1, 0), pixels)
    assert found.header.get_zooms()[:3] == (0.5, 0.5, 0.5)
    assert found.header.get_xyzt_units()[0] == "micron"
    assert np.array_equal(found.affine, np.diag([0.5, 0.5, 0.5, 1]))


def test_units_that_nifti_lacks_are_converted(tmp_path: Path) -> None:
    path = volume(tmp_path / "a.nii", (9, 8, 4), "uint8")
    convert(path, tmp_path / "a.zarr", ConvertOptions(Said(pixel_size=(50, 40, 30), unit="nm")))
    image = open_image(tmp_path / "a.zarr")
    plain = tmp_path / "plain.zarr"
    writer = create_store(plain, _spec_of(image, tmp_path), {})
    for region in writer.spec.layout.regions():
        writer.write(region, image.read(region))
    writer.seal(plain, {"kind": "source"})
    export(plain, tmp_path / "b.nii")
    found = nibabel.load(tmp_path / "b.nii")
    assert found.header.get_xyzt_units()[0] == "micron"
    assert np.allclose(found.header.get_zooms(), (0.04, 0.05, 0.03))


def _spec_of(image: Any, folder: Path) -> Any:
    from stable_tiles.image.layout import plan_layout
    from stable_tiles.image.spec import ImageSpec

    layout = plan_layout(image.shape, image.dtype.itemsize)
    return ImageSpec(image.axes, layout, image.dtype.name, image.channels)


def test_a_header_of_another_size_is_not_trusted(tmp_path: Path) -> None:
    convert(volume(tmp_path / "a.nii", (9, 8, 4), "int16"), tmp_path / "a.zarr")
    convert(volume(tmp_path / "b.nii", (9, 8, 5), "int16"), tmp_path / "b.zarr")
    translation(tmp_path / "a.zarr", tmp_path / "c.zarr", "float32", 1)
    import zarr

    group = zarr.open_group(str(tmp_path / "c.zarr"), mode="r+")
    other = zarr.open_group(str(tmp_path / "b.zarr"), mode="r")["nifti"]
    assert isinstance(other, zarr.Array)
    stored = group["nifti"]
    assert isinstance(stored, zarr.Array)
    stored[...] = np.asarray(other[...])
    with pytest.warns(UserWarning, match="without its affine"):
        export(tmp_path / "c.zarr", tmp_path / "c.nii")
    assert nibabel.load(tmp_path / "c.nii").shape == (9, 8, 4)
