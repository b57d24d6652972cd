from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stable_tiles.region import Region
from stable_tiles.tiling.order import morton, morton_order


@given(st.tuples(st.integers(0, 2**20), st.integers(0, 2**20)))
@settings(deadline=None, max_examples=50)
def test_the_bits_of_a_morton_code_give_back_both_indices(cell: tuple[int, int]) -> None:
    code = f"{morton(*cell):b}".zfill(42)
    assert (int(code[0::2], 2), int(code[1::2], 2)) == cell


def test_regions_follow_the_curve_within_a_plane_and_planes_follow_each_other() -> None:
    regions = list(Region.whole((2, 1, 40, 40)).divide((1, 1, 10, 10)))
    ordered = morton_order(regions, (10, 10))
    assert sorted(ordered) == sorted(regions)
    assert [r.start for r in ordered[:5]] == [
        (0, 0, 0, 0),
        (0, 0, 0, 10),
        (0, 0, 10, 0),
        (0, 0, 10, 10),
        (0, 0, 0, 20),
    ]
    assert {r.start[0] for r in ordered[:16]} == {0}
