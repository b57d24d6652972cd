from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stable_tiles.methods.replay import Replay


def batch(step: int, size: int = 2) -> Tensor:
    """Images whose value tells when they were new."""
    values = torch.arange(size * step, size * step + size, dtype=torch.float32)
    return values.view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 6), st.integers(0, 1000))
def test_what_is_handed_out_was_translated_before_and_no_image_is_in_two_places(
    size: int, seed: int
) -> None:
    pool, random = Replay(size), torch.Generator().manual_seed(seed)
    for step in range(20):
        handed = pool.exchange(batch(step), random)
        assert handed.shape == (2, 1, 2, 2)
        assert float(handed.max()) <= 2 * step + 1
        kept = [float(image.mean()) for image in pool.kept]
        assert len(set(kept)) == len(kept) == min(size, 2 * step + 2)


def test_half_of_what_a_full_pool_hands_out_is_old() -> None:
    pool, random = Replay(10), torch.Generator().manual_seed(0)
    old = 0
    for step in range(400):
        handed = pool.exchange(batch(step), random)
        if step >= 5:
            old += int((handed.flatten(1).mean(1) < 2 * step).sum())
    assert 330 < old < 460


def test_an_empty_pool_hands_out_the_new_images() -> None:
    assert torch.equal(Replay(0).exchange(batch(3), torch.Generator()), batch(3))


def test_a_pool_goes_on_from_its_state() -> None:
    pool, random = Replay(3), torch.Generator().manual_seed(1)
    for step in range(5):
        pool.exchange(batch(step), random)
    other = Replay(3)
    other.load_state_dict(pool.state_dict())
    draws = [torch.Generator().manual_seed(2) for _ in range(2)]
    assert torch.equal(pool.exchange(batch(9), draws[0]), other.exchange(batch(9), draws[1]))
