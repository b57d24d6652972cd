from pathlib import Path

import numpy as np
import pytest

from stable_tiles.errors import InputError
from stable_tiles.settings import load_settings
from stable_tiles.train.domains import describe, open_data
from tests.train.stores import random_pixels, write_store

SETTINGS = load_settings("smoke", ["data.patch=16", "data.normalize.low=0.5"])


def stores(folder: Path, *names: str, width: int = 40, channels: int = 1) -> list[str]:
    """Noise stores of that width, brighter one by one."""
    return [
        write_store(
            folder / f"{name}.zarr",
            random_pixels((1, channels, 1, 30, width), i, "uint16") * (i + 1),
        ).path
        for i, name in enumerate(names)
    ]


def test_a_single_pair_is_split_into_halves_that_share_no_pixel(tmp_path: Path) -> None:
    paths = stores(tmp_path, "a", "b", width=41)
    data = open_data(SETTINGS, ([paths[0]], [paths[1]]), split=True)
    seen = {
        side: {patches.schedule.cut(i).origin[1] + offset for i in range(2000)}
        for side, patches, offset in (("a", data.a, 0), ("b", data.b, 20))
    }
    assert max(seen["a"]) + 16 <= 20
    assert min(seen["b"]) == 20
    assert max(seen["b"]) + 16 == 41
    cut = data.b.schedule.cut(3)
    plane = np.asarray(data.b.images[0].levels[0].array).reshape(30, 41)
    y, x = cut.origin
    expected = plane[y : y + 16, x + 20 : x + 36]
    low, high = data.b.normalizers[0].low[0], data.b.normalizers[0].high[0]
    got = data.b.patch(3)[0] * (high - low) + low
    np.testing.assert_allclose(np.sort(got.ravel()), np.sort(expected.ravel()), rtol=1e-4)


def test_several_pairs_are_dealt_out_to_the_domains(tmp_path: Path) -> None:
    sources, targets = stores(tmp_path, "a0", "a1", "a2"), stores(tmp_path, "b0", "b1", "b2")
    data = open_data(SETTINGS, (sources, targets), split=True)
    assert [image.name for image in data.a.images] == ["a0.zarr", "a2.zarr"]
    assert [image.name for image in data.b.images] == ["b1.zarr"]


def test_only_pairs_of_one_size_can_be_split(tmp_path: Path) -> None:
    a, b = stores(tmp_path, "a"), stores(tmp_path, "b", width=50)
    with pytest.raises(InputError, match=r"a\.zarr has \(30, 40\) pixels and b\.zarr has"):
        open_data(SETTINGS, (a, b), split=True)
    with pytest.raises(InputError, match="needs pairs: 1 --source and 2 --target"):
        open_data(SETTINGS, (a, [*a, *b]), split=True)


def test_both_domains_need_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one --source and one --target"):
        open_data(SETTINGS, (stores(tmp_path, "a"), []))


def test_a_held_out_store_must_not_be_trained_on(tmp_path: Path) -> None:
    a, b, c = stores(tmp_path, "a", "b", "c")
    with pytest.raises(InputError, match=r"a\.zarr is given twice: validate with images"):
        open_data(SETTINGS, ([a], [b]), ([a], [c]))


def test_a_domain_is_described_by_the_mean_of_its_images_ranges(tmp_path: Path) -> None:
    paths = stores(tmp_path, "a", "b", "c", channels=2)
    data = open_data(SETTINGS, (paths[:2], paths[2:]))
    domain = describe(data.a, SETTINGS)
    fitted = [normalizer.high[0] for normalizer in data.a.normalizers]
    assert fitted[1] > 1.5 * fitted[0]
    assert list(domain.normalizer.high) == pytest.approx([np.mean(fitted)])
    assert (domain.channels, domain.dtype) == (2, "uint16")
    assert domain.normalization == SETTINGS.data.normalize


def test_streams_of_domains_and_of_held_out_images_differ(tmp_path: Path) -> None:
    a, b, c, d = stores(tmp_path, "a", "b", "c", "d")
    data = open_data(SETTINGS, ([a], [b]), ([c], [d]))
    assert data.held_out is not None
    every = (data.a, data.b, *data.held_out)
    origins = [tuple(p.schedule.cut(i).origin for i in range(20)) for p in every]
    assert len(set(origins)) == 4
