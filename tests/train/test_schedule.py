from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from stable_tiles.train.schedule import MIXED, REUSE, Block, Field, Schedule, orient


@st.composite
def fields(draw: st.DrawFn) -> Field:
    high, wide = (draw(st.integers(1, 40)) for _ in range(2))
    shape = draw(st.integers(high, high + 90)), draw(st.integers(wide, wide + 90))
    cell = draw(st.integers(1, 64)), draw(st.integers(1, 64))
    return Field(draw(st.integers(1, 4)), shape, (high, wide), cell)


def square(planes: int, height: int, width: int, side: int, cell: int) -> Field:
    return Field(planes, (height, width), (side, side), (cell, cell))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(fields(), min_size=1, max_size=3),
    st.integers(0, 2**32),
    st.integers(0, 10**9),
    st.integers(1, 16),
)
def test_every_patch_lies_inside_its_block_and_its_plane(
    images: list[Field], seed: int, index: int, mixed: int
) -> None:
    cut = Schedule(tuple(images), seed, 0, True, mixed).cut(index)
    field, block = images[cut.block.image], cut.block
    assert 0 <= block.plane < field.planes
    for origin, start, stop, side, size in zip(
        cut.origin, block.start, block.stop, cut.shape, field.shape, strict=True
    ):
        assert 0 <= start <= origin
        assert origin + side <= stop <= size
    assert 0 <= cut.orientation < 8


def test_patch_positions_are_uniform_borders_included() -> None:
    images = (square(2, 13, 9, 6, 3), square(1, 8, 8, 6, 4))
    schedule = Schedule(images, seed=1, stream=0, augment=False, mixed=4)
    # One patch a block: those of one block share its cell and are not independent.
    cuts = [schedule.cut(i) for i in range(0, 4 * REUSE * 4000, 4 * REUSE)]
    names = [(c.block.image, c.block.plane, *c.origin) for c in cuts]
    every = {(0, p, y, x) for p in range(2) for y in range(8) for x in range(4)}
    every |= {(1, 0, y, x) for y in range(3) for x in range(3)}
    counts = [names.count(place) for place in sorted(every)]
    assert sum(counts) == len(names)
    assert chisquare(counts).pvalue > 1e-3


def test_a_hundred_thousand_patches_in_a_row_cover_a_slide_uniformly() -> None:
    field = square(1, 4096, 4096, 256, 512)
    schedule = Schedule((field,), seed=5, stream=0, augment=False)
    origins = np.array([schedule.cut(i).origin for i in range(100_000)])
    # By cell: all patches of a block lie in one, so counts come in lumps of `reuse`.
    width = np.diff([*range(0, 3841, 512), 3841])
    expected = np.outer(width, width) / 3841**2 * len(origins)
    counts = np.zeros_like(expected)
    np.add.at(counts, tuple(origins.T // 512), 1)
    lumps = (counts - expected) / schedule.reuse
    assert chi2.sf((lumps**2 / (expected / schedule.reuse)).sum(), counts.size - 1) > 1e-3
    # Inside the cells patches are independent of each other; 512 = 16 * 32 anchors a cell.
    whole = origins[(origins < 3584).all(axis=1)] % 512 // 32
    inside = np.bincount(whole[:, 0] * 16 + whole[:, 1], minlength=256)
    assert chisquare(inside).pvalue > 1e-3


def test_patches_of_one_block_stand_apart_and_share_few_pixels() -> None:
    """The figures that docs/training.md gives for patches of 256 px and chunks of 512."""
    field = square(10**6, 2**20, 2**20, 256, 512)
    schedule = Schedule((field,), seed=6, stream=0, augment=False)
    cuts = [schedule.cut(i) for i in range(16_384)]
    by_block: dict[Block, list[int]] = {}
    for i, cut in enumerate(cuts):
        by_block.setdefault(cut.block, []).append(i)
    served = [places for places in by_block.values() if 128 <= places[0] < 16_000]
    assert {len(places) for places in served} == {schedule.reuse} == {REUSE}
    assert {b - a for places in served for a, b in pairwise(places)} == {MIXED}
    shared = [
        np.prod(np.clip(256 - np.abs(np.subtract(cuts[a].origin, cuts[b].origin)), 0, None))
        for places in served
        for a, b in combinations(places, 2)
    ]
    apart = 256 / 512
    assert np.mean(shared) / 256**2 == pytest.approx((apart - apart**2 / 3) ** 2, abs=0.01)


def test_all_patches_together_cover_positions_evenly() -> None:
    schedule = Schedule((square(1, 12, 12, 5, 4),), seed=2, stream=0, augment=True)
    cuts = [schedule.cut(i) for i in range(64_000)]
    heat = np.zeros((8, 8))
    np.add.at(heat, tuple(np.array([c.origin for c in cuts]).T), 1)
    assert heat.min() > 0.8 * heat.mean()
    assert heat.max() < 1.2 * heat.mean()
    turns = np.bincount([c.orientation for c in cuts], minlength=8)
    assert chisquare(turns).pvalue > 1e-3


def test_a_block_serves_its_reuse_and_neighbours_come_from_different_slots() -> None:
    schedule = Schedule((square(50, 64, 64, 8, 16),), seed=3, stream=0, augment=False, mixed=4)
    assert schedule.reuse == REUSE
    blocks = [schedule.cut(i).block for i in range(4 * REUSE * 20)]
    for slot in range(4):
        turns = blocks[slot::4]
        first = REUSE - slot * REUSE // 4
        for start in range(first, len(turns) - REUSE, REUSE):
            assert len(set(turns[start : start + REUSE])) == 1
    changes = [i for i in range(4, len(blocks)) if blocks[i] != blocks[i - 4]]
    assert np.diff(changes).min() > 1, "blocks are renewed one after the other, not all at once"


def test_the_sequence_depends_on_seed_and_domain_alone() -> None:
    field = (square(3, 100, 100, 10, 32),)
    one = [Schedule(field, 7, 0, True).cut(i) for i in range(64)]
    schedule = Schedule(field, 7, 0, True)
    backwards = [schedule.cut(i) for i in reversed(range(64))][::-1]
    assert one == backwards
    assert one != [Schedule(field, 8, 0, True).cut(i) for i in range(64)]
    assert one != [Schedule(field, 7, 1, True).cut(i) for i in range(64)]


def test_larger_images_are_drawn_in_proportion_to_their_positions() -> None:
    images = (square(1, 20, 20, 11, 16), square(3, 40, 20, 11, 16))
    schedule = Schedule(images, seed=0, stream=0, augment=False, mixed=1)
    drawn = np.array([schedule.cut(i).block.image for i in range(0, 4000 * REUSE, REUSE)])
    assert drawn.mean() == pytest.approx(900 / 1000, abs=0.02)


@given(st.integers(0, 7))
def test_orientations_are_undone_by_mirror_and_turn(orientation: int) -> None:
    patch = np.arange(32).reshape(2, 4, 4)
    turned = orient(patch, orientation)
    back = turned[..., ::-1] if orientation >= 4 else turned
    np.testing.assert_array_equal(np.rot90(back, -(orientation % 4), axes=(-2, -1)), patch)


def test_the_eight_orientations_differ() -> None:
    patch = np.arange(16).reshape(1, 4, 4)
    assert len({orient(patch, i).tobytes() for i in range(8)}) == 8


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_patches_shows_something_at_its_centre(share: float) -> None:
    def right(image: int, plane: int, y: float, x: float) -> bool:
        return x >= 90

    field = (square(1, 100, 100, 8, 16),)
    schedule = Schedule(field, 4, 0, augment=False, foreground=share, shows=right)
    cuts = [schedule.cut(i) for i in range(16 * REUSE * 30)]
    shown = np.mean([cut.origin[1] + 4 >= 90 for cut in cuts])
    anywhere = 7 / 93
    assert shown == pytest.approx(share + (1 - share) * anywhere, abs=0.06)


def test_where_nothing_shows_patches_are_drawn_all_the_same() -> None:
    field = (square(1, 40, 40, 8, 16),)
    schedule = Schedule(field, 4, 0, False, foreground=1.0, shows=lambda *_: False)
    assert len({schedule.cut(i).origin for i in range(100)}) > 50


def test_a_patch_larger_than_the_plane_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit 8 x 30"):
        square(1, 8, 30, 9, 4)


@pytest.mark.parametrize(
    ("images", "reuse"),
    [
        ([square(9, 64, 64, 64, 64)], 1),
        ([square(9, 64, 64, 32, 64)], 7),
        ([square(9, 64, 64, 8, 64)], REUSE),
        ([square(1, 9, 9, 9, 9), square(99, 64, 64, 9, 64)], REUSE),
    ],
    ids=["a patch is its block", "four fit", "many fit", "a small image among large ones"],
)
def test_a_block_serves_fewer_than_twice_the_patches_that_fit_into_it(
    images: list[Field], reuse: int
) -> None:
    schedule = Schedule(tuple(images), 0, 0, False, mixed=1)
    assert schedule.reuse == reuse
    blocks = [schedule.cut(i).block for i in range(40)]
    assert all(blocks[i] == blocks[i - i % reuse] for i in range(40))


@given(st.integers(0, 1000), st.integers(1, 9))
def test_another_attempt_is_another_block_for_all_its_patches(index: int, attempt: int) -> None:
    schedule = Schedule((square(10**6, 64, 64, 8, 64),), 5, 0, True, mixed=4)
    turn, slot = divmod(index, 4)
    again = 4 * (turn + 1) + slot
    same = schedule.cut(index).block == schedule.cut(again).block
    first, second = schedule.cut(index, attempt), schedule.cut(again, attempt)
    assert (first.block == second.block) is same
    assert first.block != schedule.cut(index, attempt - 1).block


@pytest.mark.parametrize("orientation", range(8))
def test_orientations_are_quarter_turns_then_a_mirror(orientation: int) -> None:
    patch = np.arange(32).reshape(2, 4, 4)
    turned = np.rot90(patch, orientation % 4, axes=(-2, -1))
    expected = turned[..., ::-1] if orientation >= 4 else turned
    np.testing.assert_array_equal(orient(patch, orientation), expected)
