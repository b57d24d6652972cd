import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.errors import InputError
from stable_tiles.image.store import Image, open_image
from stable_tiles.region import Region
from stable_tiles.settings import load_settings
from stable_tiles.train.domains import Data, open_data
from stable_tiles.train.scale import Sampling
from stable_tiles.train.split import FOREIGN_REACH, OWN_REACH, Part, halves
from tests.train.stores import random_pixels, write_store


@dataclass(frozen=True)
class Store:
    """How one image of a pair is stored."""

    pixel_um: float
    planes: tuple[int, int]
    chunk: int


@dataclass(frozen=True)
class Pair:
    """Two images of one scene."""

    scene_um: tuple[float, float]
    stores: tuple[Store, Store]
    patch: int
    wanted_um: float | None


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    patch = draw(st.sampled_from([16, 18, 24, 32]))
    sizes = draw(st.tuples(*[st.sampled_from([0.25, 0.4, 0.5, 1.0])] * 2))
    wanted = draw(st.sampled_from([None, 0.3, 0.5, 0.77, 1.3]))
    needed = patch * max(*sizes, wanted or 0)
    scene = draw(st.tuples(*[st.floats(1.05 * needed, 4 * needed)] * 2))
    longer = 2.1 * needed + 12 * max(*sizes, wanted or 0)
    scene = (scene[0], max(scene[1], longer)) if draw(st.booleans()) else (longer, scene[1])
    stores = [
        Store(
            size,
            draw(st.sampled_from([(1, 1), (2, 1), (1, 2)])),
            draw(st.sampled_from([40, 64, 512])),
        )
        for size in sizes
    ]
    return Pair(scene, (stores[0], stores[1]), patch, wanted)


def write_pair(folder: Path, pair: Pair) -> list[str]:
    """Two channels that hold each pixel's own y and x, as a share of the scene."""
    paths = []
    for i, store in enumerate(pair.stores):
        shape = [round(um / store.pixel_um) for um in pair.scene_um]
        rows, columns = (np.mgrid[: shape[0], : shape[1]] + 0.5).astype(np.float32)
        where = np.stack([rows / shape[0], columns / shape[1]])
        t, z = store.planes
        pixels = np.broadcast_to(where[None, :, None], (t, 2, z, *shape))
        scale = {"y": store.pixel_um, "x": store.pixel_um}
        image = write_store(folder / f"{i}.zarr", np.array(pixels), chunk=store.chunk, scale=scale)
        paths.append(image.path)
    return paths


def open_pair(paths: list[str], pair: Pair) -> Data:
    wanted = "null" if pair.wanted_um is None else pair.wanted_um
    changes = [
        f"data.patch={pair.patch}",
        f"data.pixel_size_um={wanted}",
        "data.normalize={kind: none}",
        "network.widths=[4, 8]",
    ]
    return open_data(load_settings("smoke", changes), ([paths[0]], [paths[1]]), split=True)


@settings(deadline=None, max_examples=10)
@given(pairs())
def test_no_patch_of_one_domain_shows_what_a_patch_of_the_other_shows(pair: Pair) -> None:
    with TemporaryDirectory() as name:
        data = open_pair(write_pair(Path(name), pair), pair)
        axis = 0 if data.split.a[0].y[1] < data.a.images[0].shape[-2] else 1
        drawn = [np.stack([p.patch(i)[axis] for i in range(16)]) for p in (data.a, data.b)]
        places = [[p.place(i) for i in range(200)] for p in (data.a, data.b)]
    # Seen through the pixels themselves, whatever was resampled on the way:
    assert drawn[0].max() < 0.5 < drawn[1].min()
    # Seen through the places that patches name, in shares of the scene, the guard band included:
    for patches, part, seen, half in (
        (data.a, data.split.a[0], places[0], (0.0, 0.5)),
        (data.b, data.split.b[0], places[1], (0.5, 1.0)),
    ):
        size = patches.images[0].shape[-2:][axis]
        factor = 2**part.level
        assert {place.level for place in seen} == {part.level}
        near, far = (part.x if axis else part.y), (part.y if axis else part.x)
        assert far == (0, patches.images[0].shape[-2:][1 - axis])
        band = max(factor, 1) / size
        assert near[0] / size >= (half[0] + band if half[0] else 0) - 1e-9
        assert near[1] / size <= (half[1] - band if half[1] < 1 else 1) + 1e-9
        for place in seen:
            for mine, allowed in ((place.y, part.y), (place.x, part.x)):
                assert allowed[0] <= mine[0] < mine[1] <= allowed[1]
            assert place.planes[1] - place.planes[0] == 1
            assert place.planes[1] <= part.planes[1]


def test_the_split_is_json_that_names_every_store(tmp_path: Path) -> None:
    pair = Pair((64.0, 128.0), (Store(1.0, (2, 1), 32), Store(0.5, (1, 2), 32)), 16, None)
    data = open_pair(write_pair(tmp_path, pair), pair)
    document = json.loads(json.dumps(data.split.to_json()))
    assert document == {
        "kind": "halves of a pair",
        "a": [{"store": "0.zarr", "y": [0, 64], "x": [0, 63], "planes": [0, 2], "level": 0}],
        "b": [{"store": "1.zarr", "y": [0, 128], "x": [129, 256], "planes": [0, 2], "level": 0}],
        "validation_a": [],
        "validation_b": [],
    }


def test_coarse_levels_of_other_tools_keep_a_wider_band(tmp_path: Path) -> None:
    image = write_store(tmp_path / "own.zarr", random_pixels((1, 1, 1, 100, 200)))
    coarse = Sampling(2, (4.0, 4.0), (16.0, 16.0))
    foreign: Image = replace(image, attributes={})
    near, far = halves((image, foreign), (coarse, coarse))
    assert near == Region((0, 0), (100, 100 - 4 * OWN_REACH))
    assert far == Region((0, 100 + 4 * FOREIGN_REACH), (100, 200))


def test_images_of_different_extents_are_no_pair(tmp_path: Path) -> None:
    scales: list[dict[str, float]] = [{"y": 0.5, "x": 0.5}, {"y": 1.0, "x": 1.0}]
    a, b = (
        open_image(
            write_store(
                tmp_path / f"{i}.zarr", random_pixels((1, 1, 1, 40, 60), i), scale=scale
            ).path
        )
        for i, scale in enumerate(scales)
    )
    plain = Sampling(0, (1.0, 1.0), (16.0, 16.0))
    with pytest.raises(InputError, match=r"0\.zarr shows 20 x 30 um and 1\.zarr 40 x 60"):
        halves((a, b), (plain, plain))


def test_a_part_without_pixels_cannot_be() -> None:
    with pytest.raises(ValueError, match="holds no pixel"):
        Part("a.zarr", (0, 10), (5, 5), (0, 1), 0)


def test_a_patch_that_does_not_fit_into_its_half_is_refused_in_one_line(tmp_path: Path) -> None:
    pair = Pair((64.0, 64.0), (Store(1.0, (1, 1), 32), Store(1.0, (1, 1), 32)), 32, None)
    with pytest.raises(InputError, match=r"64 x 31 px at level 0, the half that --split leaves"):
        open_pair(write_pair(tmp_path, pair), pair)
