from __future__ import annotations

import numpy as np
import pytest

from stable_tiles.region import Region
from stable_tiles.simulate.he import EOSIN, HEMATOXYLIN, HematoxylinEosin, Staining
from stable_tiles.simulate.scene import Scene
from stable_tiles.simulate.streams import Stream
from stable_tiles.simulate.tissue import Tissue

SIZE = 512
SCENE = Scene(HematoxylinEosin(), 3, "test/0000", SIZE, 3)
REGION = Region((0, 0, 0, 0), (1, 1, SIZE, SIZE))


@pytest.fixture(scope="module")
def views() -> dict[str, np.ndarray]:
    """Both domains as (c, y, x) and the numbers as (y, x)."""
    domains = {v: SCENE.render(REGION, v)[0, :, 0].astype(float) for v in ("a", "b")}
    return {**domains, "labels": SCENE.render(REGION, "labels")[0, 0, 0]}


def test_stains_obey_beer_and_lambert() -> None:
    section = Tissue().section(Stream((0, "x")), (0, 0, 64, 64))
    density = -np.log10(Staining().transmittance(section))
    stains = np.array([HEMATOXYLIN, EOSIN]).T
    fitted, residual, *_ = np.linalg.lstsq(stains, density.reshape(3, -1), rcond=None)
    assert residual.max() < 1e-8
    assert fitted.min() > -1e-6


def test_glass_is_dark_in_fluorescence_and_white_when_stained(views: dict[str, np.ndarray]) -> None:
    glass = views["a"].max(axis=0) < 25
    assert 0.02 < glass.mean() < 0.3
    assert views["b"][:, glass].mean() > 225


def test_nuclei_are_green_in_fluorescence_and_dark_when_stained(
    views: dict[str, np.ndarray],
) -> None:
    nuclei, tissue = views["labels"] > 0, views["a"].max(axis=0) > 60
    red, green, blue = views["a"][:, nuclei].mean(axis=1)
    assert green > 2 * max(red, blue)
    assert views["b"][0, nuclei].mean() < 0.6 * views["b"][0, tissue & ~nuclei].mean()
    assert np.corrcoef(views["a"][1].ravel(), views["b"][0].ravel())[0, 1] < -0.7


def test_nuclei_are_of_the_size_of_nuclei(views: dict[str, np.ndarray]) -> None:
    _, areas = np.unique(views["labels"][views["labels"] > 0], return_counts=True)
    diameters_um = 2 * np.sqrt(areas / np.pi) * 0.55
    assert 5 < np.median(diameters_um) < 8
    assert 400 < len(areas) < 1000


def test_tissue_does_not_depend_on_the_box_it_is_asked_in() -> None:
    stream = Stream((0, "x"))
    large = Tissue().section(stream, (0, 0, 120, 120))
    small = Tissue().section(stream, (40, 30, 90, 100))
    for name in ("nuclei", "cytoplasm", "matrix"):
        whole, part = getattr(large, name), getattr(small, name)
        np.testing.assert_allclose(part, whole[40:90, 30:100], atol=1e-4)


def test_a_channel_is_named_after_its_compartment_and_shown_in_its_colour() -> None:
    pictures = HematoxylinEosin().pictures(3)
    assert [c.name for c in pictures["a"].channels] == ["cytoplasm", "nuclei", "matrix"]
    assert [c.color for c in pictures["a"].channels] == ["FF0000", "00FF00", "0000FF"]
    assert HematoxylinEosin().axes("cyx", SIZE).scale == {"y": 0.55, "x": 0.55}
