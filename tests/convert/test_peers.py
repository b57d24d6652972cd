"""What other programs find in our stores; each runs in an environment of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Literal

import nibabel as untyped_nibabel
import numpy as np
import pytest
import tifffile

from stable_tiles.convert import ConvertOptions, convert
from stable_tiles.convert.options import Said
from stable_tiles.image.store import open_image
from stable_tiles.region import Region
from tests import peers

nibabel: Any = untyped_nibabel
Version = Literal["0.4", "0.5"]
VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])
SCALE = {"t": 0.5, "y": 0.25, "x": 0.125}


def movie(folder: Path, version: Version) -> tuple[Path, Any]:
    """A store of three frames and two channels, and its pixels (t, c, y, x)."""
    pixels = np.random.default_rng(0).integers(0, 4000, (3, 2, 301, 203)).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", pixels, photometric="minisblack", metadata={"axes": "TCYX"})
    said = Said(pixel_size=(0.25, 0.125), time_step=0.5, channel_names=("green", "red"))
    convert(folder / "a.tif", folder / "a.zarr", ConvertOptions(said, ngff=version, chunk=64))
    return folder / "a.zarr", pixels


def volume(folder: Path, version: Version) -> tuple[Path, Path]:
    """A store of an oblique, scaled volume, and its file."""
    affine = np.array([[0.9, 0.1, 0, -9], [-0.1, 0.9, 0, 4], [0, 0, 3, 2], [0, 0, 0, 1]])
    values = np.random.default_rng(1).normal(size=(40, 30, 7))
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_xyzt_units("mm", "sec")
    nibabel.save(nibabel.Nifti1Image(values, affine, header), folder / "v.nii.gz")
    convert(folder / "v.nii.gz", folder / "v.nii.zarr", ConvertOptions(ngff=version, chunk=16))
    return folder / "v.nii.zarr", folder / "v.nii.gz"


VALIDATE = """
import zarr
from ngff_zarr.validate import validate
found = zarr.open_group(sys.argv[1], mode="r").attrs.asdict()
validate(found, version=sys.argv[2], model="image", strict=True)
print(json.dumps(sorted(found)))
"""


@VERSIONS
@pytest.mark.parametrize("make", [movie, volume])
def test_the_metadata_satisfy_the_strict_json_schema(
    tmp_path: Path, version: Version, make: Any
) -> None:
    store, _ = make(tmp_path, version)
    found = peers.run(("ngff_zarr", "jsonschema"), VALIDATE, store, version)
    assert ("ome" if version == "0.5" else "multiscales") in found


NGFF_ZARR = """
import numpy as np
from ngff_zarr import from_ngff_zarr
image = from_ngff_zarr(sys.argv[1]).images[0]
np.save(sys.argv[2], np.asarray(image.data))
print(json.dumps({"dims": image.dims, "scale": image.scale}))
"""

OME_ZARR = """
import numpy as np
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
node = next(iter(Reader(parse_url(sys.argv[1]))()))
np.save(sys.argv[2], np.asarray(node.data[0]))
axes = [axis["name"] for axis in node.metadata["axes"]]
scale = node.metadata["coordinateTransformations"][0][0]["scale"]
print(json.dumps({"dims": axes, "scale": dict(zip(axes, scale))}))
"""

BIOIO = """
import numpy as np
from bioio import BioImage
import bioio_ome_zarr
image = BioImage(sys.argv[1], reader=bioio_ome_zarr.Reader)
np.save(sys.argv[2], image.get_image_data("TCYX"))
size, step = image.physical_pixel_sizes, image.time_interval
seconds = step.total_seconds() if hasattr(step, "total_seconds") else step
print(json.dumps({"dims": "tcyx", "scale": {"t": seconds, "y": size.Y, "x": size.X}}))
"""

NAPARI = """
import numpy as np
from napari_ome_zarr._reader import napari_get_reader
layers = napari_get_reader(sys.argv[1])(sys.argv[1])
(data, how, kind), = layers
assert kind == "image"
first = data[0] if isinstance(data, (list, tuple)) else data
np.save(sys.argv[2], np.asarray(first))
axis = how.get("channel_axis")
dims = [name for i, name in enumerate("tcyx") if i != axis]
print(json.dumps({"dims": "tcyx", "scale": dict(zip(dims, how["scale"])), "name": how["name"]}))
"""

READERS = {
    "ngff-zarr": (("ngff_zarr",), NGFF_ZARR),
    "ome-zarr-py": (("ome_zarr",), OME_ZARR),
    "BioIO": (("bioio", "bioio_ome_zarr"), BIOIO),
    "napari-ome-zarr": (("napari_ome_zarr",), NAPARI),
}


@VERSIONS
@pytest.mark.parametrize("reader", READERS)
def test_others_find_our_pixels_axes_and_scale(
    tmp_path: Path, version: Version, reader: str
) -> None:
    store, pixels = movie(tmp_path, version)
    modules, script = READERS[reader]
    said = peers.run(modules, script, store, tmp_path / "found.npy")
    assert "".join(said["dims"]) == "tcyx"
    assert {name: said["scale"][name] for name in SCALE} == pytest.approx(SCALE, rel=1e-6)
    assert np.array_equal(np.load(tmp_path / "found.npy"), pixels)


@VERSIONS
def test_zarr2nii_gives_back_the_volume_that_was_converted(
    tmp_path: Path, version: Version
) -> None:
    store, path = volume(tmp_path, version)
    made = tmp_path / "back.nii.gz"
    subprocess.run([peers.program("zarr2nii"), store, made], check=True, capture_output=True)
    before, after = nibabel.load(path), nibabel.load(made)
    assert np.array_equal(after.dataobj.get_unscaled(), before.dataobj.get_unscaled())
    # The scaling of integers is lost: nibabel drops it from a header that is given with an array.
    assert np.allclose(after.affine, before.affine)
    assert after.header.get_zooms() == before.header.get_zooms()
    assert after.header.get_xyzt_units() == before.header.get_xyzt_units()


WSIDICOM = """
import numpy as np
from wsidicom import WsiDicom
with WsiDicom.open(sys.argv[1]) as slide:
    slide.save(sys.argv[2])
with WsiDicom.open(sys.argv[2]) as slide:
    base = slide.levels.base_level
    np.save(sys.argv[3], slide.read_region((0, 0), base.level, base.size.to_tuple()))
    print(json.dumps({"y": base.mpp.height, "x": base.mpp.width}))
"""


def test_a_dicom_slide_that_wsidicom_wrote_converts_to_the_pixels_it_reads(
    tmp_path: Path, shared_data: Path
) -> None:
    pytest.importorskip("openslide")
    (tmp_path / "slide").mkdir()
    source = shared_data / "1_wsi" / "cptac-brca_level3.dcm"
    scale = peers.run(("wsidicom",), WSIDICOM, source, tmp_path / "slide", tmp_path / "found.npy")
    (written,) = (tmp_path / "slide").iterdir()
    convert(written, tmp_path / "a.zarr")
    image = open_image(tmp_path / "a.zarr")
    assert image.axes.scale == pytest.approx(scale, rel=1e-6)
    _, _, _, y, x = image.shape
    pixels = image.read(Region((0, 0, 0, 0), (1, 1, y, x)))[0, :, 0]
    assert np.array_equal(np.moveaxis(pixels, 0, -1), np.load(tmp_path / "found.npy"))
