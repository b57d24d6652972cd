import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from stable_tiles.image.store import Image
from stable_tiles.settings import DataSettings, Normalization
from stable_tiles.train.patches import Patches
from stable_tiles.train.scale import choose_sampling, level_factor, resample
from tests.train.stores import random_pixels, write_store

PLAIN = Normalization(kind="none")


@pytest.fixture(scope="module")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[float, float], Image]:
    """Images whose channels hold each pixel's own y and x in micrometres, by pixel size."""
    folder = tmp_path_factory.mktemp("ramps")
    made = {}
    for y, x in ((0.25, 0.25), (0.4, 0.4), (1.1, 1.1), (0.5, 0.3)):
        rows, columns = np.mgrid[: int(100 / y), : int(100 / x)].astype(np.float32)
        where = np.stack([(rows + 0.5) * y, (columns + 0.5) * x])[None, :, None]
        made[y, x] = write_store(folder / f"{y}-{x}.zarr", where, scale={"y": y, "x": x})
    return made


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([(0.25, 0.25), (0.4, 0.4), (1.1, 1.1), (0.5, 0.3)]),
    st.floats(0.2, 3.0),
    st.integers(0, 50),
)
def test_a_patch_is_as_large_as_wanted_whatever_the_images_own_pixels(
    ramps: dict[tuple[float, float], Image], own: tuple[float, float], wanted: float, index: int
) -> None:
    data = DataSettings(patch=16, normalize=PLAIN, augment=False, pixel_size_um=wanted)
    patches = Patches([ramps[own]], data, (0, 0))
    y, x = patches.patch(index)
    inner = slice(3, -3)  # the outermost pixels average less than the others
    np.testing.assert_allclose(np.diff(y, axis=0)[inner, inner].mean(), wanted, rtol=0.01)
    np.testing.assert_allclose(np.diff(x, axis=1)[inner, inner].mean(), wanted, rtol=0.01)
    place = patches.place(index)
    centre = [np.mean(place.y) * own[0], np.mean(place.x) * own[1]]
    coarse = 2 * max(wanted, *own)
    np.testing.assert_allclose([y.mean(), x.mean()], centre, atol=coarse)


def test_shrinking_averages_instead_of_dropping_pixels() -> None:
    noise = random_pixels((1, 240, 240), dtype="float32")
    shrunk = resample(noise, (240.0, 240.0), 40)
    # A triangle as wide as two new pixels: the mean of a mean over 6 pixels.
    oracle = uniform_filter(uniform_filter(noise[0], 6), 6)[3::6, 3::6]
    assert shrunk.std() < noise.std() / 5
    assert np.corrcoef(shrunk[0, 2:-2, 2:-2].ravel(), oracle[2:-2, 2:-2].ravel())[0, 1] > 0.95


@given(st.floats(1, 60), st.floats(1, 60), st.integers(16, 40))
@settings(deadline=None, max_examples=40)
def test_a_constant_stays_constant_at_any_scale(high: float, wide: float, side: int) -> None:
    planes = np.full((2, int(np.ceil(high)), int(np.ceil(wide))), 7.5, np.float32)
    made = resample(planes, (high, wide), side)
    assert made.shape == (2, side, side)
    np.testing.assert_allclose(made, 7.5, rtol=1e-5)


def test_a_patch_at_its_own_scale_is_not_touched() -> None:
    planes = random_pixels((1, 16, 16), dtype="float32")
    assert resample(planes, (16.0, 16.0), 16) is planes


def test_the_coarsest_level_that_is_fine_enough_is_read(
    ramps: dict[tuple[float, float], Image],
) -> None:
    image = ramps[0.25, 0.25]
    sizes = (0.2, 0.25, 0.49, 0.5, 0.99, 1.0, 1.7)
    chosen = [choose_sampling(image, DataSettings(pixel_size_um=um)).level for um in sizes]
    assert chosen == [0, 0, 0, 1, 1, 2, 2]
    assert level_factor(image, 2) == (4.0, 4.0)
