from __future__ import annotations

from collections.abc import Callable

import pytest

from stable_tiles.errors import InputError
from stable_tiles.region import Region
from stable_tiles.translate.options import Hardware, Selection, StoreOptions, TranslateOptions

SHAPE = (5, 2, 3, 100, 200)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: TranslateOptions(tile=0), "--tile 0"),
        (lambda: TranslateOptions(halo=-1), "--halo -1"),
        (lambda: TranslateOptions(blend="box"), "--blend 'box'"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: TranslateOptions(normalize="max"), "--normalize"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: TranslateOptions(overwrite=True, resume=True), "--overwrite"),
        (lambda: TranslateOptions(overwrite=True, part=(0, 2)), "--part"),
        (lambda: TranslateOptions(part=(2, 2)), "--part 2/2"),
        (lambda: TranslateOptions(part=(3, 2)), "--part 3/2"),
        (lambda: Hardware(gpus=-1), "--gpus"),
        (lambda: Hardware(device="cpu", gpus=1), "--device cpu"),
        (lambda: Hardware(device="cuda", gpus=0), "--device cuda"),
        (lambda: Hardware(dashboard=0), "--dashboard is a port"),
        (lambda: Hardware(dashboard=65536), "--dashboard is a port"),
        (lambda: Hardware(dashboard=8787, scheduler="tcp://a:1"), "--dashboard: .* has its own"),
        (lambda: Selection(channels=(0, 2)).box(SHAPE), "--channels 2"),
        (lambda: Selection(t=(0, 6)).box(SHAPE), "--planes t"),
        (lambda: Selection(region=Region((0, 0), (101, 5))).box(SHAPE), "--region"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    wrong: Callable[[], object], named: str
) -> None:
    with pytest.raises(InputError, match=named) as caught:
        wrong()
    assert "\n" not in str(caught.value)


def test_a_selection_is_a_box_of_the_image() -> None:
    assert Selection().box(SHAPE) == Region.whole((5, 3, 100, 200))
    chosen = Selection(region=Region((10, 20), (30, 40)), t=(1, 3), z=(2, 3))
    assert chosen.box(SHAPE) == Region((1, 2, 10, 20), (3, 3, 30, 40))


def test_the_default_shard_is_whole_chunks_and_none_for_the_older_format() -> None:
    assert StoreOptions().shard_side == 4096
    assert StoreOptions(chunk=300).shard_side % 300 == 0
    assert StoreOptions(ngff="0.4").shard_side == 0
