from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from stable_tiles.errors import InputError
from stable_tiles.tiling.axis import Cell, Tiling, Window, cell_weights, cells_reaching
from tests.tiling.strategies import blend_tilings, crop_tilings, windows


@given(tiling=crop_tilings(), window=windows())
@settings(deadline=None, max_examples=100)
def test_what_cropped_cells_write_partitions_the_window(tiling: Tiling, window: Window) -> None:
    written = np.zeros(window.length, int)
    for cell in tiling.cells(window):
        written[cell.start : cell.stop] += 1
    assert np.all(written[window.start : window.stop] == 1)
    assert written.sum() == window.stop - window.start


@given(tiling=crop_tilings(), window=windows())
@settings(deadline=None, max_examples=100)
def test_a_cropped_cell_reads_its_halo_on_the_stride_and_is_clipped_at_true_ends(
    tiling: Tiling, window: Window
) -> None:
    for cell in tiling.cells(window):
        assert cell.read_start % tiling.stride == 0
        assert cell.read_stop % tiling.stride == 0 or cell.read_stop == window.length
        assert cell.read_start <= max(0, cell.start - tiling.halo)
        assert cell.read_stop >= min(window.length, cell.stop + tiling.halo)
        assert cell.read_stop - cell.read_start <= tiling.tile


@given(tiling=crop_tilings(), window=windows())
@settings(deadline=None, max_examples=50)
def test_borders_of_periods_are_borders_of_cropped_cells(tiling: Tiling, window: Window) -> None:
    starts = {cell.start for cell in tiling.cells(window)}
    assert starts >= set(range(window.start, window.stop, window.period))


@given(tiling=blend_tilings(), window=windows())
@settings(deadline=None, max_examples=100)
def test_the_weights_of_overlapping_cells_sum_to_one(tiling: Tiling, window: Window) -> None:
    total = np.zeros(window.length)
    cells = tiling.cells(window)
    for index, cell in enumerate(cells):
        assert cell.start % tiling.stride == 0
        assert cell.stop - cell.start <= tiling.tile
        total[cell.start : cell.stop] += cell_weights(tiling, cells, index)
    assert np.allclose(total[window.start : window.stop], 1, atol=3e-7)


@given(tiling=blend_tilings(), window=windows())
@settings(deadline=None, max_examples=50)
def test_overlapping_cells_do_not_depend_on_the_window(tiling: Tiling, window: Window) -> None:
    whole = Window(window.length, 0, window.length, window.length)
    assert set(tiling.cells(window)) <= set(tiling.cells(whole))


@given(tiling=blend_tilings(), window=windows())
@settings(deadline=None, max_examples=50)
def test_cells_reaching_finds_what_a_search_of_all_finds(tiling: Tiling, window: Window) -> None:
    cells = tiling.cells(window)
    expected = [k for k, c in enumerate(cells) if c.start < window.stop and c.stop > window.start]
    assert list(cells_reaching(cells, window.start, window.stop)) == expected


def test_an_axis_that_fits_one_tile_is_one_cell() -> None:
    for blend in ("crop", "hann"):
        assert Tiling(100, 40, 4, blend).cells(Window(99, 0, 99, 128)) == (Cell(0, 99, 0, 99),)


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_a_tile_without_room_between_its_halos_is_refused_in_one_line(blend: str) -> None:
    tiling = Tiling(64, 40, 4, "crop" if blend == "crop" else "hann")
    with pytest.raises(InputError, match="--tile") as caught:
        tiling.cells(Window(1000, 0, 1000, 512))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [(1, 1, 0, 4), (2, 4, 3, 5), (2, 4, 0, 3)])
def test_a_cell_that_reads_less_than_it_writes_cannot_be_built(
    values: tuple[int, int, int, int],
) -> None:
    with pytest.raises(ValueError, match="reads less"):
        Cell(*values)
