from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stable_tiles.benchmark.paper import study
from stable_tiles.benchmark.plan import (
    SHARES,
    BenchmarkOptions,
    check_shares,
    fingerprint,
    plan,
    saliency,
    settings,
    variants,
)
from stable_tiles.errors import InputError, SettingsError
from stable_tiles.methods.ablations import ABLATIONS
from tests.benchmark.small import options


def test_every_method_sees_as_many_images() -> None:
    asked = BenchmarkOptions(
        methods=("stable", "cyclegan", "utom", "munit", "santa", "cut"),
        ablation=True,
        steps=50,
        config="calcium_robust",
    )
    trials = plan("calcium", asked).trials
    seen = {(t.settings.training.steps, t.settings.data.batch) for t in trials}
    assert seen == {(50, 4)}
    assert len({trial.settings.data for trial in trials}) == 1


def test_seeds_count_up_and_one_seed_is_done_for_all_before_the_next() -> None:
    trials = plan("calcium", options(seeds=2, seed=5)).trials
    assert [trial.key for trial in trials] == ["stable-5", "cyclegan-5", "stable-6", "cyclegan-6"]
    assert [trial.settings.training.seed for trial in trials] == [5, 5, 6, 6]


def test_what_has_the_same_settings_is_trained_once() -> None:
    found = plan("calcium", options(methods=("stable",), ablation=True, sweeps=("data",)))
    assert found.same == {"ablation-4": "stable", "data-100": "stable"}
    names = {trial.variant.name for trial in found.trials}
    assert names == {"stable", *ABLATIONS, *(f"data-{s}" for s in SHARES)} - set(found.same)
    assert len(found.variants) == len(found.trials) + 2


def test_sweeps_are_of_stable_by_their_names() -> None:
    found = variants("calcium", options(methods=(), sweeps=("features", "weights")))
    assert [v.name for v in found if v.group == "features"] == [
        "features-1",
        "features-3",
        "features-8",
    ]
    assert len([v for v in found if v.group == "weights"]) == 12
    assert all(v.overrides[0] == "method=stable" for v in found)


def test_rivals_are_tuned_where_settings_were_found() -> None:
    asked = options(methods=("stable", "cyclegan", "utom"), tuned=True, overrides=())
    trials = {trial.variant.name: trial.settings for trial in plan("calcium", asked).trials}
    assert list(trials) == ["stable", "cyclegan", "utom", "cyclegan-tuned", "utom-tuned"]
    assert trials["cyclegan-tuned"].cyclegan != trials["cyclegan"].cyclegan
    assert trials["cyclegan-tuned"].data == trials["cyclegan"].data
    assert trials["cyclegan-tuned"].training == trials["cyclegan"].training
    told = saliency(study("calcium"), (70.0, 180.0))
    (found,) = plan("calcium", replace(asked, methods=("utom",)), told).trials[1:]
    assert found.settings.utom.threshold_b == 180.0


@pytest.mark.parametrize(("task", "methods"), [("mri", ("utom",)), ("calcium", ("stable",))])
def test_tuned_rivals_that_nobody_tuned_are_refused(task: str, methods: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"no settings were found for these of {task}, but for"):
        plan(task, options(methods=methods, tuned=True))


def test_utom_is_told_of_the_data_and_the_user_wins() -> None:
    told = saliency(study("he"), (70.4, 180.0))
    asked = options(methods=("utom",), overrides=("utom.threshold_b=99",))
    (trial,) = plan("he", asked, told).trials
    assert (trial.settings.utom.threshold_a, trial.settings.utom.threshold_b) == (70.4, 99)
    assert (trial.settings.utom.objects_a, trial.settings.utom.objects_b) == ("bright", "dark")


def test_methods_and_seeds_may_be_added_and_nothing_else() -> None:
    def marks(**changes: Any) -> dict[str, str]:
        return fingerprint("calcium", options(**changes), "data")

    assert marks() == marks(methods=("cut",), seeds=9, seed=4, workers=3, ablation=True)
    for changes in ({"steps": 5}, {"config": "calcium_robust"}, {"overrides": ()}):
        assert marks() != marks(**changes)
    assert marks() != fingerprint("calcium", options(), "other data")
    assert marks() != fingerprint("mri", options(), "data")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"methods": ("stable", "pix2pix")}, "--methods: no 'pix2pix', use stable, cyclegan"),
        ({"methods": ("stable", "stable")}, "names one twice"),
        ({"methods": ()}, "--methods is empty"),
        ({"sweeps": ("depth",)}, "--sweep: no 'depth', use features, weights, data"),
        ({"seeds": 0}, "--seeds 0 is below 1"),
        ({"workers": 0}, "--workers 0 is below 1"),
    ],
)
def test_wrong_options_are_refused_in_a_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        options(**changes)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"unknown setting santa\.paths"):
        settings("calcium", options(overrides=("santa.paths=1",)))


def test_shares_of_too_few_images_are_refused() -> None:
    check_shares(options(sweeps=("data",)), 20)
    check_shares(options(), 1)
    with pytest.raises(InputError, match="use 20 or more"):
        check_shares(options(sweeps=("data",)), 8)
