"""One file of every layout, each written by another program's writer or taken from the real images.

`docs/formats.md` holds the table of these cases; a test compares the two.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as untyped_nibabel
import numpy as np
import numpy.typing as npt
import openslide
import tifffile
import zarr
from PIL import Image as Picture

from stable_tiles.convert import ConvertOptions
from stable_tiles.convert.options import Said

nibabel: Any = untyped_nibabel
Pixels = npt.NDArray[Any]
PLAIN = ConvertOptions()


@dataclass(frozen=True)
class Made:
    """A file, the pixels that another program finds in it as (t, c, z, y, x), and its scale."""

    sources: tuple[Path, ...]
    pixels: Pixels
    scale: dict[str, float] | None = None
    options: ConvertOptions = PLAIN


@dataclass(frozen=True)
class Case:
    """A layout of a format: who wrote it, who decodes it beside us, and how it is made.

    `make` gets an empty folder and the folder of real images.
    """

    format: str
    layout: str
    writer: str
    decoder: str
    make: Callable[[Path, Path], Made]


def ramp(*shape: int, dtype: str = "uint8") -> Pixels:
    """Pixels that differ everywhere but compress."""
    count = np.arange(np.prod(shape), dtype=np.int64).reshape(shape) // 3
    return (count % 251).astype(dtype)


def canonical(pixels: Pixels, axes: str) -> Pixels:
    """An array with these axes as (t, c, z, y, x); samples count as channels."""
    names = axes.lower().replace("s", "c")
    order = [n for n in "tczyx" if n in names]
    moved = np.transpose(pixels, [names.index(n) for n in order])
    sizes = dict(zip(order, moved.shape, strict=True))
    return moved.reshape([sizes.get(n, 1) for n in "tczyx"])


_UM = {
    "PhysicalSizeX": 0.25,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 0.5,
    "PhysicalSizeYUnit": "µm",
}


def _tiff(
    name: str, axes: str, pixels: Pixels, said: Said | None = None, **how: Any
) -> Callable[[Path, Path], Made]:
    """A TIFF by tifffile, decoded by tifffile."""

    def make(folder: Path, _: Path) -> Made:
        path = folder / name
        arguments = {"photometric": "minisblack", **how}
        file = {k: arguments.pop(k) for k in ("bigtiff", "byteorder", "imagej") if k in arguments}
        metadata = arguments.pop("metadata", {"axes": axes, **(_UM if ".ome." in name else {})})
        tifffile.imwrite(path, pixels, metadata=metadata, **file, **arguments)
        scale = {"y": 0.5, "x": 0.25} if ".ome." in name else None
        options = ConvertOptions(said or Said())
        return Made((path,), canonical(tifffile.imread(path), axes), scale, options)

    return make


def _sub_ifds(folder: Path, _: Path) -> Made:
    path, pixels = folder / "a.ome.tif", ramp(2, 100, 90, dtype="uint16")
    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as writer:
        tiles: Any = {"tile": (32, 32), "photometric": "minisblack"}
        writer.write(pixels, subifds=1, metadata={"axes": "CYX", **_UM}, **tiles)
        writer.write(pixels[:, ::2, ::2], subfiletype=1, **tiles)
    return Made((path,), canonical(pixels, "CYX"), {"y": 0.5, "x": 0.25})


def _second_series(folder: Path, _: Path) -> Made:
    path, pixels = folder / "a.ome.tif", ramp(60, 50)
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(ramp(30, 20), photometric="minisblack", metadata={"axes": "YX"})
        writer.write(pixels, photometric="minisblack", metadata={"axes": "YX", **_UM})
    options = ConvertOptions(Said(series=1))
    return Made((path,), canonical(pixels, "YX"), {"y": 0.5, "x": 0.25}, options)


def _several_files(folder: Path, _: Path) -> Made:
    """OME-TIFF whose planes lie in two files that name each other by UUID."""
    pixels = ramp(2, 40, 50, dtype="uint16")
    names = ("a_0.ome.tif", "a_1.ome.tif")
    data = "".join(
        f'<TiffData IFD="0" FirstC="{i}" PlaneCount="1"><UUID FileName="{name}">'
        f"urn:uuid:00000000-0000-0000-0000-00000000000{i}</UUID></TiffData>"
        for i, name in enumerate(names)
    )
    for i, name in enumerate(names):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{i}"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="50" SizeY="40" '
            'SizeC="2" SizeZ="1" SizeT="1" PhysicalSizeX="0.25" PhysicalSizeY="0.5">'
            '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
            f'<Channel ID="Channel:0:1" SamplesPerPixel="1"/>{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / name, pixels[i], photometric="minisblack", description=xml, metadata=None
        )
    return Made((folder / names[0],), canonical(pixels, "CYX"), {"y": 0.5, "x": 0.25})


def _pyramid_pages(folder: Path, _: Path) -> Made:
    path, pixels = folder / "a.tif", ramp(100, 90, 3)
    with tifffile.TiffWriter(path) as writer:
        tiles: Any = {"tile": (32, 32), "photometric": "rgb", "metadata": None}
        writer.write(pixels, resolution=(20000, 20000), resolutionunit="CENTIMETER", **tiles)
        writer.write(np.ascontiguousarray(pixels[::2, ::2]), subfiletype=1, **tiles)
    return Made((path,), canonical(pixels, "YXS"), {"y": 0.5, "x": 0.5})


def _imagej(folder: Path, _: Path) -> Made:
    path, pixels = folder / "a.tif", ramp(3, 2, 4, 30, 20, dtype="uint16")
    tifffile.imwrite(
        path,
        np.moveaxis(pixels, 1, 2),
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "TZCYX", "unit": "um", "spacing": 1.5, "finterval": 0.1},
    )
    return Made((path,), pixels, {"t": 0.1, "z": 1.5, "y": 0.5, "x": 0.25})


def _frames(folder: Path, _: Path) -> Made:
    pixels = ramp(12, 20, 30, dtype="uint16")
    for number, plane in enumerate(pixels):
        tifffile.imwrite(folder / f"frame{number}.tif", plane)
    return Made((folder,), canonical(pixels, "TYX"), None, ConvertOptions(Said(stack="t")))


def _several_slices(folder: Path, _: Path) -> Made:
    paths = tuple(folder / f"slice{i}.png" for i in range(3))
    pixels = ramp(3, 20, 30)
    for path, plane in zip(paths, pixels, strict=True):
        Picture.fromarray(plane).save(path)
    return Made(paths, canonical(pixels, "ZYX"), None, ConvertOptions(Said(stack="z")))


def _picture(name: str, pixels: Pixels, axes: str) -> Callable[[Path, Path], Made]:
    """A picture by Pillow, decoded by Pillow."""

    def make(folder: Path, _: Path) -> Made:
        path = folder / name
        Picture.fromarray(pixels).save(path)
        with Picture.open(path) as picture:
            return Made((path,), canonical(np.asarray(picture, pixels.dtype), axes))

    return make


def _nifti(
    name: str, shape: tuple[int, ...], dtype: str, version: int = 1, scaled: bool = False
) -> Callable[[Path, Path], Made]:
    """A volume by nibabel, decoded by nibabel."""

    def make(folder: Path, _: Path) -> Made:
        kinds = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}
        kind = nibabel.Nifti1Pair if name.endswith(".hdr") else kinds[version]
        header = kind.header_class()
        header.set_xyzt_units("mm", "sec")
        header.set_data_dtype(dtype)
        affine = np.array([[0.5, 0.1, 0, 3], [-0.1, 0.5, 0, 4], [0, 0, 2, 5], [0, 0, 0, 1]])
        values = ramp(*shape).astype(float) * (0.37 if scaled else 1)
        path = folder / name
        nibabel.save(kind(values if scaled else values.astype(dtype), affine, header), path)
        found = nibabel.load(path)
        voxels = np.asarray(found.dataobj.get_unscaled())
        names = "xyztc"[: voxels.ndim]
        zooms = dict(zip("xyzt", map(float, found.header.get_zooms()), strict=False))
        kept = {n: zooms[n] for n in names if n in zooms and n != "c"}
        return Made((path,), canonical(voxels, names), kept)

    return make


def _ome_zarr(version: str, archive: bool = False) -> Callable[[Path, Path], Made]:
    """A store by ome-zarr-py, decoded by zarr."""

    def make(folder: Path, _: Path) -> Made:
        from ome_zarr.format import FormatV04, FormatV05
        from ome_zarr.writer import write_image

        pixels, path = ramp(2, 60, 50, dtype="uint16"), folder / "a.zarr"
        group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
        write_image(
            pixels,
            group,
            fmt=FormatV04() if version == "0.4" else FormatV05(),
            scale_factors=[2],
            axes=["c", "y", "x"],
            scale={"c": 1.0, "y": 0.5, "x": 0.25},
            axes_units={"y": "micrometer", "x": "micrometer"},
        )
        scales = {"y": 0.5, "x": 0.25}
        expected = canonical(pixels, "CYX")
        if not archive:
            return Made((path,), expected, scales)
        with zipfile.ZipFile(folder / "a.zarr.zip", "w") as file:
            for member in sorted(path.rglob("*")):
                if member.is_file():
                    file.write(member, member.relative_to(path))
        shutil.rmtree(path)
        return Made((folder / "a.zarr.zip",), expected, scales)

    return make


def _slide(name: str) -> Callable[[Path, Path], Made]:
    """A real slide, decoded by OpenSlide."""

    def make(_: Path, data: Path) -> Made:
        path = data / "1_wsi" / name
        with openslide.OpenSlide(str(path)) as slide:
            rgba = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))
            scale = {n: float(slide.properties[f"openslide.mpp-{n}"]) for n in "yx"}
        return Made((path,), canonical(rgba[..., :3], "YXS"), scale)

    return make


def _real_tiff(name: str, axes: str) -> Callable[[Path, Path], Made]:
    """A real file of the TIFF family, decoded by tifffile."""

    def make(_: Path, data: Path) -> Made:
        path = data / "1_wsi" / name
        with tifffile.TiffFile(path) as tiff:
            pixels, (across, down) = tiff.asarray(), tiff.pages.first.resolution
        return Made((path,), canonical(pixels, axes), {"y": 1e4 / down, "x": 1e4 / across})

    return make


_RGB: dict[str, Any] = {"photometric": "rgb", "tile": (32, 32)}
_T = "tifffile"

CASES = (
    Case("SVS", "JPEG tiles, pyramid", "Aperio", "OpenSlide", _slide("CMU-1-Small-Region.svs")),
    Case("NDPI", "RGB, 7 levels", "Hamamatsu", "OpenSlide", _slide("hamamatsu_test3-DAPI.ndpi")),
    Case("QPTIFF", "RGB, pyramid", "PerkinElmer", _T, _real_tiff("vectra_tma_core.qptiff", "SYX")),
    Case("DICOM", "whole slide, also a TIFF", "a scanner (CPTAC)", "OpenSlide",
         _slide("cptac-brca_level3.dcm")),
    Case("OME-TIFF", "t, c, z", _T, _T, _tiff("a.ome.tif", "TCZYX", ramp(2, 3, 4, 30, 20))),
    Case("OME-TIFF", "z before c", _T, _T, _tiff("a.ome.tif", "TZCYX", ramp(2, 4, 3, 30, 20))),
    Case("OME-TIFF", "interleaved RGB", _T, _T, _tiff("a.ome.tif", "YXS", ramp(60, 50, 3), **_RGB)),
    Case("OME-TIFF", "planar RGB", _T, _T,
         _tiff("a.ome.tif", "SYX", ramp(3, 60, 50), planarconfig="separate", **_RGB)),
    Case("OME-TIFF", "z stack of RGB", _T, _T,
         _tiff("a.ome.tif", "ZYXS", ramp(4, 60, 50, 3), **_RGB)),
    Case("OME-TIFF", "sub-IFD pyramid, BigTIFF", _T, _T, _sub_ifds),
    Case("OME-TIFF", "several images (`--series`)", _T, _T, _second_series),
    Case("OME-TIFF", "several files", _T, _T, _several_files),
    Case("ImageJ TIFF", "hyperstack with calibration", _T, _T, _imagej),
    Case("TIFF", "pyramid of pages, RGB", _T, _T, _pyramid_pages),
    Case("TIFF", "pages, plain", _T, _T,
         _tiff("a.tif", "ZYX", ramp(5, 30, 20), Said(axes="zyx"), metadata=None)),
    Case("TIFF", "BigTIFF, big endian", _T, _T,
         _tiff("a.tif", "TYX", ramp(4, 30, 20, dtype="uint16"), bigtiff=True, byteorder=">")),
    Case("TIFF", "float32, strips", _T, _T,
         _tiff("a.tif", "YX", ramp(61, 50, dtype="float32"), rowsperstrip=7)),
    *(
        Case("TIFF", f"{label} tiles", _T, _T,
             _tiff("a.tif", "YXS", ramp(70, 50, 3), compression=codec, **_RGB))
        for label, codec in (
            ("uncompressed", None), ("deflate", "adobe_deflate"), ("LZW", "lzw"), ("zstd", "zstd"),
            ("PackBits", "packbits"), ("JPEG", "jpeg"), ("JPEG 2000", "jpeg2000"), ("WebP", "webp"),
        )
    ),
    Case("TIFF", "LZW with predictor, uint16", _T, _T,
         _tiff("a.tif", "YX", ramp(61, 50, dtype="uint16"), compression="lzw", predictor=True)),
    Case("Frames", "folder of TIFFs (`--stack t`)", _T, _T, _frames),
    Case("Frames", "several PNGs (`--stack z`)", "Pillow", "Pillow", _several_slices),
    Case("PNG", "grey", "Pillow", "Pillow", _picture("a.png", ramp(40, 30), "YX")),
    Case("PNG", "RGB", "Pillow", "Pillow", _picture("a.png", ramp(40, 30, 3), "YXS")),
    Case("PNG", "16 bits", "Pillow", "Pillow",
         _picture("a.png", ramp(40, 30, dtype="uint16"), "YX")),
    Case("JPEG", "grey", "Pillow", "Pillow", _picture("a.jpg", ramp(40, 30), "YX")),
    Case("JPEG", "RGB", "Pillow", "Pillow", _picture("a.jpg", ramp(40, 30, 3), "YXS")),
    Case("NIfTI-1", "3D, int16 with scaling", "nibabel", "nibabel",
         _nifti("a.nii", (20, 30, 5), "int16", scaled=True)),
    Case("NIfTI-1", "4D, gzipped", "nibabel", "nibabel",
         _nifti("a.nii.gz", (20, 30, 5, 3), "int16")),
    Case("NIfTI-1", "vectors (5D)", "nibabel", "nibabel",
         _nifti("a.nii", (20, 30, 4, 3, 2), "float32")),
    Case("NIfTI-1", "pair of .hdr and .img", "nibabel", "nibabel",
         _nifti("a.hdr", (20, 30, 5), "int16")),
    Case("NIfTI-2", "3D, gzipped", "nibabel", "nibabel",
         _nifti("a.nii.gz", (20, 30, 5), "float64", version=2)),
    Case("OME-Zarr 0.4", "folder", "ome-zarr-py", "zarr", _ome_zarr("0.4")),
    Case("OME-Zarr 0.5", "folder", "ome-zarr-py", "zarr", _ome_zarr("0.5")),
    Case("OME-Zarr 0.4", "ZIP archive", "ome-zarr-py", "zarr", _ome_zarr("0.4", archive=True)),
    Case("OME-Zarr 0.5", "ZIP archive", "ome-zarr-py", "zarr", _ome_zarr("0.5", archive=True)),
)  # fmt: skip


def table() -> str:
    """The table of the cases, in Markdown."""
    rows = [f"| {c.format} | {c.layout} | {c.writer} | {c.decoder} |" for c in CASES]
    head = "| format | layout | written by | level 0 compared with |\n|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"
