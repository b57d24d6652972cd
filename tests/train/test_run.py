import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from stable_tiles.errors import (
    FingerprintMismatch,
    InputError,
    Interrupted,
    OutputExists,
    WorkFailed,
)
from stable_tiles.model import load_model
from stable_tiles.settings import Settings, load_settings
from stable_tiles.train.folder import Existing
from stable_tiles.train.run import TrainOptions, TrainReport, train
from tests.train.stores import random_pixels, write_store

TINY = [
    "data.patch=16",
    "data.batch=2",
    "data.workers=1",
    "network.widths=[4, 8]",
    "network.features=2",
    "network.norm=batch",
    "discriminator.widths=[4, 8]",
    "training.steps=20",
    "training.ema=0.9",
    "training.log_every=3",
    "training.checkpoint_every=5",
    "training.preview_every=10",
    "training.precision='32'",
]
RESUME = TrainOptions(existing="resume")

KILLED = """
import os, signal, sys
from tests.train.test_run import RESUME, tiny
from stable_tiles.train.run import train
def kill(what, done, total):
    if done == 13:
        os.kill(os.getpid(), signal.SIGKILL)
source, target, out = sys.argv[1:]
train(tiny(), [source], [target], out, RESUME, kill)
"""


def tiny(*changes: str) -> Settings:
    """Settings whose training takes a second."""
    return load_settings("smoke", [*TINY, *changes])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A source of one channel and a target of two."""
    folder = tmp_path_factory.mktemp("stores")
    write_store(folder / "a.zarr", random_pixels((1, 1, 2, 48, 40), 0, "uint16"))
    write_store(folder / "b.zarr", random_pixels((2, 2, 1, 33, 70), 1), scale={"y": 0.5, "x": 0.5})
    return folder / "a.zarr", folder / "b.zarr"


@pytest.fixture(scope="module")
def whole(stores: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 steps without a break."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(stores, out)
    return out


def run(
    stores: tuple[Path, Path], out: Path, *changes: str, options: TrainOptions | None = None
) -> TrainReport:
    return train(tiny(*changes), [stores[0]], [stores[1]], out, options)


def log(out: Path) -> list[dict[str, Any]]:
    """The log's lines without what a clock decides."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "rates"} for line in lines]


def weights(out: Path) -> bytes:
    return (out / "model.safetensors").read_bytes()


def test_a_run_holds_what_translate_and_people_need(whole: Path) -> None:
    assert {entry.name for entry in whole.iterdir()} == {
        "checkpoints",
        "config.yaml",
        "log.jsonl",
        "model-card.md",
        "model.json",
        "model.safetensors",
        "previews",
        "report.html",
        "tensorboard",
        "split.json",
    }
    assert load_settings(whole / "config.yaml") == tiny()
    assert sorted(p.name for p in (whole / "checkpoints").iterdir()) == [
        "step-00000015",
        "step-00000020",
    ]
    previews = sorted(p.name for p in (whole / "previews").iterdir())
    assert previews == ["step-00000010.png", "step-00000020.png"]


def test_the_log_has_every_loss_by_its_settings_name(whole: Path) -> None:
    lines = [line for line in log(whole) if "total" in line]
    assert [line["step"] for line in lines] == [3, 6, 9, 12, 15, 18, 20]
    names = {"step", "adversarial", "information", "cycle", "total"}
    assert all(set(line) >= names for line in lines)
    weights = tiny().losses
    for line in lines:
        terms = (
            weights.adversarial * line["adversarial"]
            + weights.information * line["information"]
            + weights.cycle * line["cycle"]
        )
        assert weights.cycle_growth_steps or line["total"] == pytest.approx(terms, rel=1e-5)


def test_a_preview_is_measured(whole: Path) -> None:
    seen = [line for line in log(whole) if "preview" in line]
    assert [line["step"] for line in seen] == [10, 20]
    for line in seen:
        for way in ("a2b", "b2a"):
            assert -1 <= line["preview"][way]["correlation"] <= 1
            assert line["preview"][way]["contrast"] > 0


def test_the_model_knows_both_domains_and_holds_no_private_path(
    whole: Path, stores: tuple[Path, Path]
) -> None:
    model = load_model(whole)
    a, b = model.domains["a"], model.domains["b"]
    assert (a.channels, a.dtype, a.pixel_size_um) == (1, "uint16", None)
    assert (b.channels, b.dtype, b.pixel_size_um) == (2, "uint8", 0.5)
    assert b.channel_names == ("channel 0", "channel 1")
    assert model.provenance["steps"] == 20
    assert [entry["name"] for entry in model.provenance["sources"]] == ["a.zarr"]
    for file in ("model.json", "config.yaml", "log.jsonl"):
        assert str(stores[0].parent) not in (whole / file).read_text()


def test_the_saved_model_has_a_finite_reach(whole: Path) -> None:
    assert load_model(whole).reach("a2b") is not None


def test_a_run_killed_and_resumed_has_the_same_bits(
    stores: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, *map(str, stores), str(tmp_path / "run")]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with (tmp_path / "run" / "log.jsonl").open("a") as torn:
        torn.write('{"step": 15, "adv')
    report = run(stores, tmp_path / "run", options=RESUME)
    assert (report.resumed_from, report.steps) == (10, 20)
    assert weights(tmp_path / "run") == weights(whole)
    assert log(tmp_path / "run") == log(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_in_a_checkpoint_and_a_model_and_resumes_to_the_same_bits(
    number: signal.Signals, stores: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if done == 7:
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match=r"after step 8 of 20.*--resume"):
        train(tiny(), [stores[0]], [stores[1]], tmp_path / "run", None, interrupt)
    assert load_model(tmp_path / "run").provenance["steps"] == 8
    assert run(stores, tmp_path / "run", options=RESUME).resumed_from == 8
    assert weights(tmp_path / "run") == weights(whole)
    assert log(tmp_path / "run") == log(whole)


def test_resuming_a_finished_run_changes_nothing(stores: tuple[Path, Path], tmp_path: Path) -> None:
    run(stores, tmp_path / "run", "training.steps=4")
    before, lines = weights(tmp_path / "run"), log(tmp_path / "run")
    report = run(stores, tmp_path / "run", "training.steps=4", options=RESUME)
    assert report.resumed_from == 4
    assert weights(tmp_path / "run") == before
    assert log(tmp_path / "run") == lines


def test_a_run_can_be_given_more_steps(stores: tuple[Path, Path], tmp_path: Path) -> None:
    run(stores, tmp_path / "run", "training.steps=4")
    report = run(stores, tmp_path / "run", "training.steps=6", options=RESUME)
    assert (report.resumed_from, report.steps) == (4, 6)
    assert report.losses["cycle"] > 0


def test_another_seed_gives_another_model_and_loader_threads_do_not(
    stores: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    run(stores, tmp_path / "threads", "data.workers=3")
    assert weights(tmp_path / "threads") == weights(whole)
    run(stores, tmp_path / "seed", "training.seed=1")
    assert weights(tmp_path / "seed") != weights(whole)


def test_held_out_images_are_judged(stores: tuple[Path, Path], tmp_path: Path) -> None:
    for name, shape in (("va.zarr", (1, 1, 1, 20, 20)), ("vb.zarr", (1, 2, 1, 20, 20))):
        write_store(tmp_path / name, random_pixels(shape, 5))
    options = TrainOptions(val_sources=[tmp_path / "va.zarr"], val_targets=[tmp_path / "vb.zarr"])
    changes = ("training.steps=4", "training.validate_every=2")
    run(stores, tmp_path / "run", *changes, options=options)
    judged = [line for line in log(tmp_path / "run") if "validation" in line]
    assert [line["step"] for line in judged] == [2, 4]
    assert all(set(line["validation"]) == {"cycle", "information"} for line in judged)
    plain = tmp_path / "plain"
    run(stores, plain, "training.steps=4")
    assert weights(plain) == weights(tmp_path / "run"), "judging changes nothing"


def test_losses_that_are_no_numbers_stop_and_the_last_checkpoint_stays(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    changes = ("training.learning_rate=1e18", "training.checkpoint_every=1")
    with pytest.raises(WorkFailed, match=r"the loss \w+ is (nan|inf) by step \d+: lower"):
        run(stores, tmp_path / "run", *changes)
    assert (tmp_path / "run" / "checkpoints" / "step-00000001").is_dir()


def test_a_dry_run_measures_and_writes_nothing(stores: tuple[Path, Path], tmp_path: Path) -> None:
    report = run(stores, tmp_path / "run", options=TrainOptions(dry_run=True))
    assert not (tmp_path / "run").exists()
    assert report.dry_run
    assert report.parameters > 0
    assert report.patches_per_second > 0
    assert report.reach["a2b"] is not None


def test_a_run_that_exists_is_refused_unless_told(
    stores: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputExists, match="give another --out, --resume"):
        run(stores, whole)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("not a run")
    allowed: tuple[Existing, ...] = ("overwrite", "resume")
    for existing in allowed:
        options = TrainOptions(existing=existing)
        with pytest.raises(InputError, match="is not a run"):
            run(stores, tmp_path / "mine", options=options)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_overwriting_starts_anew(stores: tuple[Path, Path], tmp_path: Path) -> None:
    run(stores, tmp_path / "run", "training.steps=5")
    options = TrainOptions(existing="overwrite")
    report = run(stores, tmp_path / "run", "training.steps=3", options=options)
    assert report.resumed_from == 0
    assert {line["step"] for line in log(tmp_path / "run")} == {3}


@pytest.mark.parametrize(
    ("change", "named"), [("losses.cycle=7", "config"), ("training.seed=9", "config")]
)
def test_a_run_is_not_resumed_with_other_settings(
    stores: tuple[Path, Path], whole: Path, change: str, named: str
) -> None:
    before = (whole / "config.yaml").read_text()
    with pytest.raises(FingerprintMismatch, match=f"begun with another {named}"):
        run(stores, whole, change, options=RESUME)
    assert (whole / "config.yaml").read_text() == before


def test_a_run_is_not_resumed_with_other_stores(
    stores: tuple[Path, Path], whole: Path, tmp_path: Path
) -> None:
    other = write_store(tmp_path / "other.zarr", random_pixels((1, 1, 1, 48, 40)))
    with pytest.raises(FingerprintMismatch, match="begun with another --source"):
        train(tiny(), [other.path], [stores[1]], whole, RESUME)


def test_a_caller_keeps_their_random_numbers(stores: tuple[Path, Path], tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run(stores, tmp_path / "run", "training.steps=1")
    assert torch.equal(torch.rand(4), expected)
