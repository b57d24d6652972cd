from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from stable_tiles.axes import Axes
from stable_tiles.convert.options import ConvertOptions, Said
from stable_tiles.convert.plan import calibrated, plan_conversion, refuse_false_size
from stable_tiles.errors import InputError
from stable_tiles.image.ngff import Channel
from stable_tiles.image.sources import Description, SourceWarning

MOVIE = Description(
    axes=Axes.named("tcyx", {"y": 0.5, "x": 0.5}, {"y": "micrometer", "x": "micrometer"}),
    shape=(5, 2, 1, 300, 200),
    dtype=np.dtype("uint16"),
    channels=(Channel("a", "FF0000"), Channel("b", "00FF00")),
)
VOLUME = Description(
    axes=Axes.named("zyx", {"z": 2.0, "y": 1.0, "x": 1.0}),
    shape=(1, 1, 9, 30, 20),
    dtype=np.dtype("int16"),
    channels=(Channel("a"),),
)


def test_the_callers_word_replaces_that_of_the_file() -> None:
    said = Said(
        pixel_size=(0.3, 0.2), unit="nm", time_step=0.05, channel_names=("nuclei", "membranes")
    )
    described = calibrated(MOVIE, said)
    assert described.axes.scale == {"t": 0.05, "y": 0.3, "x": 0.2}
    assert described.axes.units == {"t": "second", "y": "nanometer", "x": "nanometer"}
    assert [(c.name, c.color) for c in described.channels] == [
        ("nuclei", "FF0000"),
        ("membranes", "00FF00"),
    ]


def test_a_unit_alone_completes_sizes_without_one() -> None:
    described = calibrated(VOLUME, Said(unit="millimeter"))
    assert described.axes.scale == {"z": 2.0, "y": 1.0, "x": 1.0}
    assert set(described.axes.units.values()) == {"millimeter"}
    with pytest.raises(InputError, match="add --pixel-size"):
        calibrated(MOVIE, Said(unit="millimeter"))


@pytest.mark.parametrize(
    "said",
    [Said(pixel_size=(1, 1, 1)), Said(channel_names=("one",)), Said(channel_names=("a", "b", "c"))],
    ids=["z of a plane", "too few names", "too many names"],
)
def test_words_about_what_the_image_lacks_are_refused(said: Said) -> None:
    with pytest.raises(InputError, match=r"lacks|channels"):
        calibrated(MOVIE, said)
    with pytest.raises(InputError, match="no axis t"):
        calibrated(VOLUME, Said(time_step=1.0))


def test_unknown_scales_are_mentioned_and_known_ones_are_not() -> None:
    with pytest.warns(SourceWarning, match="along t is unknown.*--time-step"):
        plan_conversion(MOVIE, ConvertOptions())
    with pytest.warns(SourceWarning, match="along z, y, x is unknown.*--pixel-size"):
        plan_conversion(VOLUME, ConvertOptions())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan_conversion(MOVIE, ConvertOptions(Said(time_step=1.0)))
        plan_conversion(VOLUME, ConvertOptions(Said(unit="mm")))


def test_no_more_threads_than_regions() -> None:
    large = replace(
        MOVIE,
        axes=Axes.named("yx", {"y": 1.0, "x": 1.0}, {"y": "micrometer", "x": "micrometer"}),
        shape=(1, 1, 1, 3000, 2000),
        channels=(Channel("a"),),
    )
    plan = plan_conversion(large, ConvertOptions(shard=1024, workers=16))
    assert plan.workers == len(plan.spec.layout.regions()) == 6
    assert plan.bytes_raw == 3000 * 2000 * 2
    assert plan.disk_bytes > plan.bytes_raw


def test_a_chunk_that_does_not_divide_the_shard_is_refused() -> None:
    with pytest.raises(InputError, match="not a multiple"):
        plan_conversion(MOVIE, ConvertOptions(Said(time_step=1.0), chunk=500, shard=4096))


@pytest.mark.parametrize(("bytes_in", "free"), [(10_000, 10**6), (0, 10**3)])
def test_a_size_that_neither_file_nor_disk_can_hold_is_refused(bytes_in: int, free: int) -> None:
    bomb = replace(MOVIE, shape=(5, 2, 1, 300_000, 200_000), bytes_in=bytes_in)
    with pytest.raises(InputError, match="damaged or false"):
        refuse_false_size(bomb, free)


def test_a_size_that_the_disk_or_the_file_can_hold_is_not_refused() -> None:
    blank = replace(MOVIE, bytes_in=100)
    refuse_false_size(blank, free=10**9)
    refuse_false_size(replace(MOVIE, bytes_in=100_000), free=10)


CHANNELS = Axes.named("cyx", {"y": 0.5, "x": 0.5}, {"y": "micrometer", "x": "micrometer"})
NAMES = (Channel("a"),) * 2000


def test_more_memory_than_the_machine_has_is_refused() -> None:
    wide = replace(MOVIE, shape=(1, 2000, 1, 300_000, 200_000), axes=CHANNELS, channels=NAMES)
    with pytest.raises(InputError, match="MiB of memory are needed"):
        plan_conversion(wide, ConvertOptions(chunk=4096, shard=65536, workers=64))
