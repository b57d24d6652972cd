from __future__ import annotations

import warnings

import pytest

from stable_tiles.errors import InputError
from stable_tiles.model import Model
from stable_tiles.networks.translator import Translator
from stable_tiles.region import Region
from stable_tiles.settings import NetworkSettings
from stable_tiles.tiling.plan import plan_regions
from stable_tiles.translate.cut import (
    Sizes,
    choose_tilings,
    survey_tiling,
    whole_reach,
)
from stable_tiles.translate.forward import bytes_per_pixel, most_pixels
from stable_tiles.translate.options import TranslateOptions
from tests.translate.scenes import TINY, domain

LARGE = Sizes((16384, 16384), (4096, 4096))
DEFAULTS = TranslateOptions()


def model_of(settings: NetworkSettings) -> Model:
    return Model(Translator(1, 1, settings), settings, {"a": domain(1), "b": domain(1)}, {})


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        (NetworkSettings(widths=(8, 16, 32), features=8, norm="none"), 1.10),
        (NetworkSettings(widths=(32, 64, 128, 256), features=3), 1.30),
    ],
    ids=["three levels", "four levels"],
)
def test_by_default_large_planes_cost_little_extra_in_less_than_four_gibibytes(
    settings: NetworkSettings, most: float
) -> None:
    tilings = choose_tilings(model_of(settings), DEFAULTS, LARGE, "cpu")
    output = Region.whole((1, 1, *LARGE.plane))
    side = (1, 1, *LARGE.region)
    plan = plan_regions(tilings, LARGE.plane, output, side, side)
    assert plan.redundancy <= most
    tile = max(map(plan.cut.largest_tile, plan.regions))
    reads = plan.cut.reads(plan.largest_region).size * (3 + 4 * settings.features)
    assert tile * bytes_per_pixel(settings) + reads + 2**29 < 4 * 2**30


def test_the_halves_of_a_network_reach_at_least_as_far_as_the_whole() -> None:
    for settings in (TINY, NetworkSettings(widths=(4, 8, 8), norm="none")):
        model = model_of(settings)
        halves, whole = model.network.halves("a2b"), whole_reach(model, "a2b", errors=False)
        assert halves is not None
        assert sum(halves) >= whole


def test_errors_need_the_way_back_too_and_one_pass() -> None:
    model = model_of(TINY)
    last, first = choose_tilings(model, TranslateOptions(confidence=True), LARGE, "cpu")
    assert first is None
    assert last.halo == model.local_reach("a2b") + model.local_reach("b2a")


def test_a_feature_map_of_lower_resolution_is_made_in_one_pass() -> None:
    settings = NetworkSettings(widths=(4, 8), features=2, feature_scale=4)
    model = model_of(settings)
    last, first = choose_tilings(model, DEFAULTS, LARGE, "cpu")
    assert (first, last.halo) == (None, model.reach("a2b"))


def test_a_halo_below_the_reach_is_taken_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="--halo 4 is below the network's reach"):
        last, first = choose_tilings(model_of(TINY), TranslateOptions(halo=4), LARGE, "cpu")
    assert (last.halo, first) == (4, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose_tilings(model_of(TINY), TranslateOptions(halo=100), LARGE, "cpu")


def test_instance_norms_tile_like_others_once_statistics_are_given() -> None:
    model = model_of(NetworkSettings(widths=(4, 8), features=2, norm="instance"))
    plain = model_of(NetworkSettings(widths=(4, 8), features=2, norm="none"))
    assert choose_tilings(model, DEFAULTS, LARGE, "cpu") == choose_tilings(
        plain, DEFAULTS, LARGE, "cpu"
    )
    tiling = survey_tiling(model, DEFAULTS, LARGE.plane, "cpu")
    assert tiling.halo == model.local_reach("a2b")
    assert tiling.most_pixels <= most_pixels(model.settings, "cpu")
    assert survey_tiling(model, DEFAULTS, (300, 200), "cpu").tile == 300
    assert survey_tiling(model, TranslateOptions(tile=8), (300, 200), "cpu").tile > 2 * tiling.halo


def test_a_tile_below_both_halos_is_refused_when_it_is_planned() -> None:
    tilings = choose_tilings(model_of(TINY), TranslateOptions(tile=20), LARGE, "cpu")
    output = Region.whole((1, 1, 500, 500))
    with pytest.raises(InputError, match="--tile"):
        plan_regions(tilings, (500, 500), output, (1, 1, 500, 500), (1, 1, 500, 500))
