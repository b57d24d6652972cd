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


def test_a_single_pair_is_cut_into_halves_with_a_band_between_them(tmp_path: Path) -> None:
    paths = stores(tmp_path, "a", "b", width=41)
    data = open_data(SETTINGS, ([paths[0]], [paths[1]]), split=True)
    assert (data.split.kind, data.split.a[0].x, data.split.b[0].x) == (
        "halves of a pair",
        (0, 19),
        (22, 41),
    )
    for patches, (first, stop) in ((data.a, (0, 19)), (data.b, (22, 41))):
        columns = [patches.place(i).x for i in range(400)]
        assert min(c[0] for c in columns) == first
        assert max(c[1] for c in columns) == stop
    cut = data.b.schedule.cut(3)
    plane = np.asarray(data.b.images[0].levels[0].array).reshape(30, 41)
    y, x = cut.origin
    expected = plane[y : y + 16, x + 22 : x + 38]
    low, high = data.b.normalizers[0].low[0], data.b.normalizers[0].high[0]
    got = data.b.patch(3)[0] * (high - low) + low
    np.testing.assert_allclose(np.sort(got.ravel()), np.sort(expected.ravel()), rtol=1e-4)


def test_a_tall_pair_is_cut_across_its_rows(tmp_path: Path) -> None:
    a, b = (
        write_store(tmp_path / f"{i}.zarr", random_pixels((1, 1, 1, 60, 20), i)).path
        for i in range(2)
    )
    parts = open_data(SETTINGS, ([a], [b]), split=True).split
    assert (parts.a[0].y, parts.a[0].x) == ((0, 29), (0, 20))
    assert (parts.b[0].y, parts.b[0].x) == ((31, 60), (0, 20))


def test_several_pairs_are_dealt_out_to_the_domains(tmp_path: Path) -> None:
    sources, targets = stores(tmp_path, "a0", "a1", "a2"), stores(tmp_path, "b0", "b1", "b2")
    data = open_data(SETTINGS, (sources, targets), split=True)
    assert [image.name for image in data.a.images] == ["a0.zarr", "a2.zarr"]
    assert [image.name for image in data.b.images] == ["b1.zarr"]


def test_only_pairs_of_one_size_can_be_split(tmp_path: Path) -> None:
    a, b = stores(tmp_path, "a"), stores(tmp_path, "b", width=50)
    with pytest.raises(InputError, match=r"a\.zarr shows 30 x 40 pixels and b\.zarr 30 x 50"):
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
