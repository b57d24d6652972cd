"""Denoising: tiled in t, y and x equals the whole movie; interrupted and resumed, too."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from stable_tiles.check import check
from stable_tiles.errors import Interrupted, ModelError
from stable_tiles.image.store import Image, open_image
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model, load_model
from stable_tiles.networks.support import SupportNetwork
from stable_tiles.settings import Normalization
from stable_tiles.support import SupportNetworkSettings
from stable_tiles.translate import denoise as verb
from stable_tiles.translate.denoise import denoise
from stable_tiles.translate.options import Selection, StoreOptions, TranslateOptions
from tests.translate.scenes import array_files, domain, everything, noise, options, save_image
from tests.translate.scenes import save_model as save_translator

TINY = SupportNetworkSettings(frames=7, widths=(4, 8), branch=4, head=(4,))
LOW, HIGH = 50.0, 95.0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A denoiser with random weights."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    normalization = Normalization(low=LOW, high=HIGH, per="channel")
    known = domain(1, normalization=normalization, normalizer=Normalizer((0.0,), (100.0,)))
    domains = {"a": known, "b": replace(known, dtype="float32")}
    Model(SupportNetwork(1, 1, TINY), TINY, domains, {}).save(folder)
    return folder


def told(run: Path, **changes: Any) -> TranslateOptions:
    """Small shards of few frames, so that regions meet along every axis."""
    return options(run, **{"store": StoreOptions(chunk=32, shard=32), **changes})


def in_one_piece(run: Path, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The movie (t, 1, z, y, x) as the network makes it of reflected frames, whole planes."""
    network = load_model(run).network.eval()
    low, high = (float(np.percentile(pixels, q)) for q in (LOW, HIGH))
    map_ = Normalizer((low,), (high,))
    units = map_.normalize(pixels)
    h = TINY.frames // 2
    around = np.pad(units, ((h, h), *((0, 0),) * 4), mode="reflect")
    made = np.empty(pixels.shape, np.float32)
    with torch.inference_mode():
        for t in range(len(pixels)):
            piece = around[t : t + TINY.frames].transpose(2, 0, 1, 3, 4)
            denoised = network.translate(torch.from_numpy(piece.copy()), "a2b")
            made[t] = map_.denormalize(denoised).numpy().transpose(1, 0, 2, 3)
    return made


@pytest.mark.parametrize(
    ("shape", "axes", "changes"),
    [
        ((23, 1, 1, 70, 90), "tyx", {}),
        ((23, 1, 1, 70, 90), "tyx", {"tile": 92}),
        ((9, 1, 2, 40, 33), "tzyx", {}),
        ((2, 1, 1, 40, 33), "tyx", {}),
    ],
)
def test_in_tiles_and_regions_a_movie_is_what_it_is_in_one_piece(
    run: Path,
    tmp_path: Path,
    shape: tuple[int, ...],
    axes: str,
    changes: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stable_tiles.image.layout.SHARD_BYTES", 5 * 32 * 32 * 4)
    pixels = save_image(tmp_path / "noisy.zarr", noise(*shape, dtype="uint16"), axes)
    report = denoise(tmp_path / "noisy.zarr", None, told(run, **changes))
    made = everything(tmp_path / "noisy.denoised.zarr")
    assert made.dtype == np.float32
    assert np.array_equal(made, in_one_piece(run, pixels))
    assert report.regions > 1


def test_part_of_a_movie_is_made_from_all_frames_around_it(run: Path, tmp_path: Path) -> None:
    pixels = save_image(tmp_path / "noisy.zarr", noise(12, 1, 1, 20, 20, dtype="uint16"), "tyx")
    denoise(tmp_path / "noisy.zarr", None, told(run, select=Selection(t=(4, 7))))
    made = everything(tmp_path / "noisy.denoised.zarr")
    assert np.array_equal(made, in_one_piece(run, pixels)[4:7])


def test_every_frame_of_the_source_is_decoded_once(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_image(tmp_path / "noisy.zarr", noise(20, 1, 1, 32, 32, dtype="uint16"), "tyx")
    seen: list[range] = []
    read = Image.read

    def counted(image: Image, region: Any, *rest: Any, **more: Any) -> npt.NDArray[Any]:
        seen.append(range(region.start[0], region.stop[0]))
        return read(image, region, *rest, **more)

    monkeypatch.setattr(verb, "warn_of_drift", lambda *_: None)
    monkeypatch.setattr("stable_tiles.image.layout.SHARD_BYTES", 4 * 32 * 32 * 4)
    monkeypatch.setattr(Image, "read", counted)
    image = open_image(tmp_path / "noisy.zarr")
    image.percentiles((LOW, HIGH))
    once = len([t for span in seen for t in span])
    seen.clear()
    denoise(tmp_path / "noisy.zarr", None, told(run))
    assert len([t for span in seen for t in span]) == once + 20, "percentiles, then each once"


def test_a_killed_and_resumed_denoising_has_the_bytes_of_one_that_was_not(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stable_tiles.image.layout.SHARD_BYTES", 5 * 32 * 32 * 4)
    save_image(tmp_path / "noisy.zarr", noise(21, 1, 1, 40, 40, dtype="uint16"), "tyx")

    def stop(what: str, done: int, total: int) -> None:
        if what == "regions" and done == 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        denoise(tmp_path / "noisy.zarr", tmp_path / "b.zarr", told(run), stop)
    report = denoise(tmp_path / "noisy.zarr", tmp_path / "b.zarr", told(run, resume=True))
    assert report.resumed_regions >= 4
    denoise(tmp_path / "noisy.zarr", tmp_path / "a.zarr", told(run))
    assert array_files(tmp_path / "a.zarr") == array_files(tmp_path / "b.zarr")


def test_a_denoised_movie_says_what_made_it(run: Path, tmp_path: Path) -> None:
    save_image(tmp_path / "noisy.zarr", noise(8, 1, 1, 20, 20, dtype="uint16"), "tyx")
    denoise(tmp_path / "noisy.zarr", None, told(run))
    made = open_image(tmp_path / "noisy.denoised.zarr").attributes
    assert made["kind"] == "denoised"
    assert made["provenance"]["command"] == "denoise"
    assert made["provenance"]["model"]["digest"] == load_model(run).digest


def test_a_model_that_translates_does_not_denoise(tmp_path: Path) -> None:
    save_image(tmp_path / "noisy.zarr", noise(8, 1, 1, 20, 20), "tyx")
    run = save_translator(tmp_path / "run")
    with pytest.raises(ModelError, match="no denoiser"):
        denoise(tmp_path / "noisy.zarr", None, options(run))


def test_a_movie_that_moves_is_warned_of_and_one_that_does_not_is_not(
    run: Path, tmp_path: Path
) -> None:
    scene = np.kron(np.random.default_rng(0).random((12, 12)), np.ones((6, 6))) * 50
    still = np.random.default_rng(1).poisson(scene, (20, *scene.shape))[:, None, None]
    moved = np.stack([np.roll(frame, t // 2, axis=2) for t, frame in enumerate(still)])
    save_image(tmp_path / "still.zarr", still.astype("uint16"), "tyx")
    save_image(tmp_path / "moved.zarr", moved.astype("uint16"), "tyx")
    with pytest.warns(UserWarning, match="frames move"):
        denoise(tmp_path / "moved.zarr", None, told(run, dry_run=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        denoise(tmp_path / "still.zarr", None, told(run, dry_run=True))


def test_check_says_how_a_denoiser_tiles(run: Path, tmp_path: Path) -> None:
    save_image(tmp_path / "noisy.zarr", noise(5, 1, 1, 90, 80, dtype="uint16"), "tyx")
    for source in (None, tmp_path / "noisy.zarr"):
        report = check(run, source, device="cpu")
        assert report.max_abs_difference == 0
        assert report.halo == load_model(run).local_reach("a2b")
