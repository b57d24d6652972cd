from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.simulate.head import Head, Slab
from stable_tiles.simulate.streams import Stream

WHOLE = (-128, -128, 128, 128)


def volumes(height_mm: float) -> dict[str, float]:
    """Share of the section of each tissue."""
    shares = Head().section(Stream((1, "head")), Slab(WHOLE, 0.9375, height_mm))
    return {name: float(share.mean()) for name, share in shares.items()}


@given(st.floats(-60, 60), st.integers(0, 1000))
@settings(deadline=None, max_examples=8)
def test_shares_of_tissues_are_never_more_than_the_voxel(height_mm: float, subject: int) -> None:
    slab = Slab((-40, -60, 40, 90), 1.2, height_mm)
    shares = Head().section(Stream((subject, "head")), slab)
    assert set(shares) == {"muscle", "fat", "bone", "fluid", "grey", "white"}
    total = sum(shares.values(), np.zeros(1))
    assert total.max() < 1 + 1e-5
    assert all(share.min() >= 0 for share in shares.values())


def test_a_section_at_the_ventricles_holds_brain_in_the_shares_of_a_head() -> None:
    found = volumes(5.0)
    brain = found["grey"] + found["white"] + found["fluid"]
    assert 0.25 < brain < 0.4
    assert 0.6 < found["grey"] / found["white"] < 1.8
    assert found["bone"] > 0.02


def test_a_head_ends() -> None:
    assert not any(volumes(130.0).values())
    assert volumes(5.0)["white"] > volumes(70.0)["white"]


def test_a_section_does_not_depend_on_the_box_it_is_asked_in() -> None:
    stream = Stream((1, "head"))
    large = Head().section(stream, Slab((-60, -60, 60, 60), 1.0, 3.0))
    small = Head().section(stream, Slab((-20, -30, 40, 50), 1.0, 3.0))
    for name, share in small.items():
        whole = large[name][40:100, 30:110]
        np.testing.assert_allclose(share[2:-2, 2:-2], whole[2:-2, 2:-2], atol=1e-4)
