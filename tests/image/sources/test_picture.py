from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from stable_tiles.errors import NotAnImage, WorkFailed
from stable_tiles.image.sources import SourceWarning
from stable_tiles.image.sources.picture import PictureSource
from stable_tiles.region import Region

RNG = np.random.default_rng(1)


def whole(source: PictureSource) -> npt.NDArray[Any]:
    t, _, z, y, x = source.description.shape
    return source.read(Region.whole((t, z, y, x)))


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "I;16"])
def test_a_png_equals_pillow(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    if mode == "I;16":
        Image.fromarray(RNG.integers(0, 65535, (31, 17), np.uint16)).save(path)
        oracle = np.asarray(Image.open(path))
    else:
        pixels = RNG.integers(0, 255, (31, 17, 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        oracle = np.asarray(Image.open(path).convert("RGB" if mode in {"RGB", "P"} else "L"))
    oracle = np.atleast_3d(oracle)
    source = PictureSource(path)
    assert np.array_equal(whole(source)[0, :, 0], np.moveaxis(oracle, -1, 0))
    assert source.description.is_rgb == (oracle.shape[2] == 3)
    part = source.read(Region((0, 0, 3, 2), (1, 1, 20, 9)))
    assert np.array_equal(part, whole(source)[..., 3:20, 2:9])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_dropped_with_a_warning(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    pixels = RNG.integers(0, 255, (31, 17, len(mode)), np.uint8)
    Image.fromarray(pixels, mode=None).save(path)
    with pytest.warns(SourceWarning, match="alpha channel is dropped"):
        source = PictureSource(path)
    assert np.array_equal(whole(source)[0, :, 0], np.moveaxis(pixels[..., :-1], -1, 0))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_equals_pillow(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RNG.integers(0, 255, (41, 57, 3), np.uint8)).convert(mode).save(path)
    source = PictureSource(path)
    oracle = np.atleast_3d(np.asarray(Image.open(path)))
    assert np.array_equal(whole(source)[0, :, 0], np.moveaxis(oracle, -1, 0))


def test_a_declared_size_beyond_memory_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    header = b"IHDR" + struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(NotAnImage, match="at most 2048"):
        PictureSource(path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("kept", [10, 20, 300])
def test_a_truncated_picture_is_named_in_one_line(tmp_path: Path, suffix: str, kept: int) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(RNG.integers(0, 255, (99, 99), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((NotAnImage, WorkFailed), match=r"cut\.") as caught:
        whole(PictureSource(path))
    assert "\n" not in str(caught.value)


def test_real_pictures_equal_pillow(shared_data: Path) -> None:
    for name in ("2_fluo_he/he/tiatoolbox_target.png", "3_label_free/unpaired/isl_dic.png"):
        source = PictureSource(shared_data / name)
        oracle = np.atleast_3d(np.asarray(Image.open(shared_data / name)))
        assert np.array_equal(whole(source)[0, :, 0], np.moveaxis(oracle, -1, 0))
