from __future__ import annotations

from math import exp, pi, sqrt

import numpy as np
import pytest

from stable_tiles.region import Region
from stable_tiles.simulate.mri import TISSUES, DualEcho, SpinEcho, Tissue
from stable_tiles.simulate.optics import Blur
from stable_tiles.simulate.scene import Scene, View

SIZE = 256
REGION = Region((0, 0, 0, 0), (1, 1, SIZE, SIZE))
SHARP = Blur(sharp=0.01)


def plane(
    task: DualEcho, view: View, *, noise: bool = False, name: str = "test/0001"
) -> np.ndarray:
    """One image of a head, float."""
    image = Scene(task, 0, name, SIZE).render(REGION, view, noise=noise)[0, 0, 0]
    return np.asarray(image, float)


def holding(tissue: Tissue, ratio: np.ndarray) -> np.ndarray:
    """Voxels whose two echoes say that they hold nothing else."""
    alone: np.ndarray = np.abs(ratio / exp(-92 / tissue.t2_ms) - 1) < 1e-3
    return alone


def test_a_signal_is_the_spin_echo_equation() -> None:
    water = Tissue(1000.0, 100.0, 0.5)
    assert SpinEcho(1e9, 0.0).signal(water) == pytest.approx(0.5)
    assert SpinEcho(1000.0, 100.0).signal(water) == pytest.approx(0.5 * (1 - exp(-1)) * exp(-1))


@pytest.mark.parametrize("name", ["fluid", "grey", "white", "muscle"])
def test_the_two_echoes_of_every_tissue_have_the_ratio_of_its_decay(name: str) -> None:
    """A / B = exp(-(100 - 8) / T2), whatever the coil and the protons do to both."""
    task = DualEcho(blur=SHARP)
    a, b = plane(task, "a"), plane(task, "b")
    head = b > 100
    ratio = np.divide(a, b, out=np.zeros_like(a), where=head)
    assert holding(TISSUES[name], ratio).sum() > 0.02 * head.sum()


def test_contrasts_between_tissues_are_those_of_the_equation() -> None:
    task = DualEcho(blur=SHARP, coil=0.0, uneven=0.0)
    a, b = plane(task, "a"), plane(task, "b")
    ratio = np.divide(a, b, out=np.zeros_like(a), where=b > 100)
    middle = np.s_[70:186, 80:176]  # no fat, whose T2 is that of white matter
    for name in ("fluid", "grey", "white"):
        alone = holding(TISSUES[name], ratio)[middle]
        for image, sequence in ((a, task.t2_weighted), (b, task.pd_weighted)):
            expected = task.receiver.gain * sequence.signal(TISSUES[name])
            assert np.median(image[middle][alone]) == pytest.approx(expected, rel=1e-4)


def test_t2_weighting_sets_fluid_apart_and_proton_density_does_not() -> None:
    t2, pd = DualEcho().t2_weighted, DualEcho().pd_weighted
    fluid, grey, white = (TISSUES[name] for name in ("fluid", "grey", "white"))
    assert t2.signal(fluid) > 2.5 * t2.signal(grey) > 2.5 * 1.3 * t2.signal(white)
    assert pd.signal(white) < pd.signal(grey) < pd.signal(fluid) < 1.3 * pd.signal(grey)


def test_noise_is_rician() -> None:
    task = DualEcho()
    noisy, clean = plane(task, "a", noise=True), plane(task, "a")
    sigma = task.receiver.gain * task.receiver.noise
    air = clean < 1e-3
    assert noisy[air].mean() == pytest.approx(sigma * sqrt(pi / 2), rel=0.02)
    assert noisy[air].std() == pytest.approx(sigma * sqrt(2 - pi / 2), rel=0.03)
    bright = clean > 20 * sigma
    assert (noisy - clean)[bright].std() == pytest.approx(sigma, rel=0.05)


def test_the_coil_is_uneven_and_the_same_in_both_images() -> None:
    bias = [plane(DualEcho(), v) / np.maximum(plane(DualEcho(coil=0.0), v), 1) for v in ("a", "b")]
    brain = np.s_[80:176, 90:166]
    np.testing.assert_allclose(bias[0][brain], bias[1][brain], rtol=0.02)
    assert 0.02 < np.ptp(bias[1][brain]) < 0.5


def test_a_head_fills_the_image_whatever_its_size() -> None:
    small, large = (
        Scene(DualEcho(), 0, "x", n).render(Region((0, 0, 0, 0), (1, 1, n, n)), "b", noise=False)
        for n in (128, 256)
    )
    halved = large[0, 0, 0].reshape(128, 2, 128, 2).mean(axis=(1, 3))
    assert np.corrcoef(halved.ravel(), small[0, 0, 0].ravel())[0, 1] > 0.97
    edges = np.concatenate([large[0, 0, 0][[0, -1]].ravel(), large[0, 0, 0][:, [0, -1]].ravel()])
    assert edges.max() < 1
    assert 0.3 < (large > 100).mean() < 0.6


def test_sections_follow_one_another_through_one_head() -> None:
    stack = Scene(DualEcho(), 0, "x", 128, sections=41)
    found = stack.render(Region((0, 0, 0, 0), (1, 41, 128, 128)), "b", noise=False)[0, 0]
    lone = Scene(DualEcho(), 0, "x", 128).render(
        Region((0, 0, 0, 0), (1, 1, 128, 128)), "b", noise=False
    )
    np.testing.assert_array_equal(found[20], lone[0, 0, 0])
    correlation = np.corrcoef(found.reshape(41, -1))
    assert np.diagonal(correlation, 1).min() > 0.97
    assert correlation[0, 40] < 0.95


def test_no_two_heads_are_alike() -> None:
    first, second = (plane(DualEcho(), "a", name=name) for name in ("train/A/0000", "train/A/0001"))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.8


def test_voxels_are_measured_in_millimetres_of_the_field_of_view() -> None:
    axes = DualEcho().axes("zyx", 256)
    assert axes.scale == {"z": 1.25, "y": 0.9375, "x": 0.9375}
    assert set(axes.units.values()) == {"millimeter"}
