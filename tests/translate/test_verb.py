from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from stable_tiles.errors import (
    FingerprintMismatch,
    InputError,
    ModelError,
    OutputExists,
    StoreNotFound,
    WorkFailed,
)
from stable_tiles.image.store import open_image
from stable_tiles.image.writer import partial_folder
from stable_tiles.intensity import Normalizer
from stable_tiles.ledger import Ledger
from stable_tiles.region import Region
from stable_tiles.settings import Normalization
from stable_tiles.translate.options import Selection, StoreOptions
from stable_tiles.translate.verb import translate
from tests.translate.scenes import (
    array_files,
    domain,
    everything,
    noise,
    options,
    save_image,
    save_model,
    whole_plane,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return save_model(tmp_path / "run", domains={"a": domain(1), "b": domain(1, "float32")})


@pytest.mark.parametrize(("tile", "halo"), [("auto", "auto"), (96, "auto"), (160, 40)])
def test_tiles_equal_the_whole_plane_bit_for_bit(
    tmp_path: Path, run: Path, tile: int | str, halo: int | str
) -> None:
    pixels = save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 457), "yx")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=tile, halo=halo))
    expected = whole_plane(run, pixels[0, :, 0][None] / np.float32(255))
    assert np.array_equal(everything(tmp_path / "b.zarr")[:, :, 0], expected)
    assert report.regions == 12
    assert report.complete
    assert report.blend == "crop"
    assert report.clipped_fraction == 0


def test_volumes_and_movies_are_translated_plane_by_plane(tmp_path: Path, run: Path) -> None:
    pixels = save_image(tmp_path / "a.zarr", noise(3, 1, 2, 70, 90), t=0.5, z=2.0, y=0.3, x=0.3)
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))
    planes = pixels.transpose(0, 2, 1, 3, 4).reshape(6, 1, 70, 90) / np.float32(255)
    expected = whole_plane(run, planes).reshape(3, 2, 1, 70, 90).transpose(0, 2, 1, 3, 4)
    made = open_image(tmp_path / "b.zarr")
    assert np.array_equal(everything(tmp_path / "b.zarr"), expected)
    assert made.axes == open_image(tmp_path / "a.zarr").axes


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_output_has_the_target_s_values_in_the_dtype_asked_for(
    tmp_path: Path, dtype: str
) -> None:
    target = domain(3, "uint16", normalizer=Normalizer((100.0,), (900.0,)))
    run = save_model(tmp_path / "run", domains={"a": domain(2), "b": target})
    pixels = save_image(tmp_path / "a.zarr", noise(1, 2, 1, 65, 130), "cyx")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, dtype=dtype))
    values = whole_plane(run, pixels[0, :, 0][None] / np.float32(255)) * np.float32(800) + 100
    made = everything(tmp_path / "b.zarr")[:, :, 0]
    assert made.dtype == dtype
    if dtype == "float32":
        assert np.array_equal(made, values)
        return
    limits = np.iinfo(dtype)
    assert np.array_equal(made, np.clip(np.rint(values), limits.min, limits.max))
    outside = (np.rint(values) < limits.min) | (np.rint(values) > limits.max)
    assert report.clipped_fraction == pytest.approx(outside.mean())


def test_a_part_of_the_image_is_what_the_whole_has_there(tmp_path: Path) -> None:
    run = save_model(tmp_path / "run", domains={"a": domain(1), "b": domain(1, "float32")})
    save_image(tmp_path / "a.zarr", noise(3, 2, 2, 200, 210))
    one = options(run, select=Selection(channels=(1,)))
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", one)
    select = Selection(Region((30, 50), (190, 201)), t=(1, 3), z=(1, 2), channels=(1,))
    translate(tmp_path / "a.zarr", tmp_path / "part.zarr", replace(one, select=select, tile=96))
    whole = everything(tmp_path / "whole.zarr")
    assert np.array_equal(everything(tmp_path / "part.zarr"), whole[1:3, :, 1:2, 30:190, 50:201])


def test_the_other_direction_translates_back(tmp_path: Path) -> None:
    run = save_model(tmp_path / "run", domains={"a": domain(1), "b": domain(3)})
    save_image(tmp_path / "a.zarr", noise(1, 3, 1, 70, 70), "cyx")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, direction="b2a"))
    assert report.shape == (1, 70, 70)


@pytest.mark.parametrize("blend", ["linear", "hann", "gaussian"])
def test_a_blend_does_not_depend_on_the_regions(tmp_path: Path, run: Path, blend: str) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 200, 300), "yx")
    made = []
    for shard in (64, 256):
        store = StoreOptions(chunk=64, shard=shard)
        chosen = options(run, blend=blend, tile=96, halo=12, store=store)
        translate(tmp_path / "a.zarr", tmp_path / f"{shard}.zarr", chosen)
        made.append(everything(tmp_path / f"{shard}.zarr"))
    assert np.array_equal(made[0], made[1])


def test_a_constant_image_becomes_constant_but_for_its_padded_edges(
    tmp_path: Path, run: Path
) -> None:
    save_image(tmp_path / "a.zarr", np.full((1, 1, 1, 300, 300), 77, np.uint8), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, tile=128))
    inside = everything(tmp_path / "b.zarr")[..., 40:-40, 40:-40]
    assert np.ptp(inside) < 1e-5 * max(1, abs(inside.mean()))


def test_percentiles_of_the_image_are_its_own_and_of_the_channels_used(tmp_path: Path) -> None:
    trained = domain(1, normalization=Normalization(kind="percentile", low=0, high=100))
    run = save_model(tmp_path / "run", domains={"a": trained, "b": domain(1, "float32")})
    pixels = noise(1, 2, 1, 64, 64)
    pixels[:, 1] = pixels[:, 1] // 4 + 10
    save_image(tmp_path / "a.zarr", pixels, "cyx")
    translate(
        tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, select=Selection(channels=(1,)))
    )
    chosen = pixels[0, 1].astype(np.float32)
    low, high = chosen.min(), chosen.max()
    expected = whole_plane(run, ((chosen - low) / (high - low))[None])
    assert np.array_equal(everything(tmp_path / "b.zarr")[:, :, 0], expected)


def test_units_are_stored_as_they_are_or_over_the_range_of_integers(tmp_path: Path) -> None:
    target = domain(1, "uint16", normalizer=Normalizer((5.0,), (10.0,)))
    run = save_model(tmp_path / "run", domains={"a": domain(1), "b": target})
    pixels = save_image(tmp_path / "a.zarr", noise(1, 1, 1, 64, 64), "yx")
    units = whole_plane(run, pixels[0, :, 0][None] / np.float32(255))
    for dtype, expected in {
        "float32": units,
        "uint8": np.clip(np.rint(units * np.float32(255)), 0, 255),
    }.items():
        chosen = options(run, range="unit", dtype=dtype)
        translate(tmp_path / "a.zarr", tmp_path / f"{dtype}.zarr", chosen)
        assert np.array_equal(everything(tmp_path / f"{dtype}.zarr")[:, :, 0], expected)


def test_the_companion_image_holds_both_errors_and_the_output_stays_the_same(
    tmp_path: Path, run: Path
) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 200, 180), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "plain.zarr", options(run))
    chosen = options(run, confidence=True, tile=160)
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", chosen)
    assert np.array_equal(everything(tmp_path / "b.zarr"), everything(tmp_path / "plain.zarr"))
    errors = open_image(tmp_path / "b.zarr" / "confidence")
    assert [channel.name for channel in errors.channels] == ["cycle", "information"]
    values = everything(tmp_path / "b.zarr" / "confidence")
    assert values.shape == (1, 2, 1, 200, 180)
    assert values.min() >= 0
    given = everything(tmp_path / "a.zarr")[:, :, 0] / np.float32(255)
    back = whole_plane(run, whole_plane(run, given), "b2a")
    assert np.allclose(values[0, 0, 0], np.abs(back - given)[0, 0], atol=1e-5)


def test_parts_together_are_the_whole_and_the_last_one_seals(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 300), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", options(run))
    for i in (1, 2):
        report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, part=(i, 3)))
        assert not report.complete
        assert report.regions == 9
        with pytest.raises(StoreNotFound, match="unfinished"):
            open_image(tmp_path / "b.zarr")
    assert translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, part=(0, 3))).complete
    assert array_files(tmp_path / "b.zarr") == array_files(tmp_path / "whole.zarr")
    assert not partial_folder(tmp_path / "b.zarr").exists()


def test_a_dry_run_tells_the_cost_and_writes_nothing(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 300), "yx")
    before = sorted(path.name for path in tmp_path.iterdir())
    report = translate(tmp_path / "a.zarr", None, options(run, dry_run=True, tile=128))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert report.dry_run
    assert report.tiles == 25
    assert report.redundancy > 1
    assert report.memory_bytes > 0
    assert report.disk_bytes >= 300 * 300 * 4


def test_the_output_keeps_a_receipt_without_private_paths(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 70, 70), "yx")
    report = translate(tmp_path / "a.zarr", None, options(run))
    made = open_image(tmp_path / "a.translated.zarr")
    assert made.attributes["kind"] == "translation"
    provenance = made.attributes["provenance"]
    assert provenance["report"]["tiles"] == report.tiles
    assert provenance["report"]["megapixels"] == pytest.approx(0.0049)
    assert provenance["source"]["digest"] == open_image(tmp_path / "a.zarr").digest()
    assert str(tmp_path) not in str(made.attributes)


def test_a_region_that_fails_is_named_and_the_others_finish_then_resume(
    tmp_path: Path, run: Path
) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 457), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", options(run))
    shard = tmp_path / "a.zarr" / "0" / "c" / "2" / "3"
    intact = shard.read_bytes()
    shard.write_bytes(intact[:60] + bytes(byte ^ 255 for byte in intact[60:]))
    with pytest.raises(
        WorkFailed, match=r"region at t=0 z=0 y=.* failed: cannot read a.zarr"
    ) as caught:
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))
    done = len(list(Ledger(partial_folder(tmp_path / "b.zarr")).receipts()))
    assert 6 <= done < 12
    assert str(caught.value).count("t=0 z=0 y=") == 12 - done
    shard.write_bytes(intact)
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, resume=True))
    assert report.resumed_regions == done
    assert array_files(tmp_path / "b.zarr") == array_files(tmp_path / "whole.zarr")


def test_what_was_damaged_after_it_was_written_is_written_again(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 300), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "whole.zarr", options(run))
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, part=(0, 2)))
    store = partial_folder(tmp_path / "b.zarr") / "store"
    shard = next(path for path in sorted((store / "0" / "c").rglob("*")) if path.is_file())
    shard.write_bytes(shard.read_bytes()[:-5])
    (store / "0" / "c" / "left.0.partial").write_bytes(b"torn")
    report = translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, resume=True))
    assert report.resumed_regions == 4
    assert array_files(tmp_path / "b.zarr") == array_files(tmp_path / "whole.zarr")


def test_resuming_with_another_model_or_tile_is_refused_by_name(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 300, 300), "yx")
    other = save_model(
        tmp_path / "other", domains={"a": domain(1), "b": domain(1, "float32")}, seed=1
    )
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, part=(0, 2)))
    with pytest.raises(FingerprintMismatch, match="another model:"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(other, resume=True))
    with pytest.raises(FingerprintMismatch, match="another --tile:"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, resume=True, tile=128))
    with pytest.raises(OutputExists, match="--resume"):
        translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))


def test_an_output_that_exists_is_replaced_only_when_asked(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 1, 70, 70), "yx")
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))
    for flag in ({}, {"resume": True}):
        with pytest.raises(OutputExists, match=r"b\.zarr exists"):
            translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, **flag))
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run, overwrite=True))


def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path, run: Path) -> None:
    save_image(tmp_path / "two.zarr", noise(1, 2, 1, 70, 70), "cyx")
    save_image(tmp_path / "deep.zarr", noise(1, 1, 1, 70, 70, dtype="uint16"), "yx")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ModelError, match=r"takes 1 channels .* --channels"):
        translate(tmp_path / "two.zarr", None, options(run))
    with pytest.raises(ModelError, match=r"uint16.*--normalize"):
        translate(tmp_path / "deep.zarr", None, options(run))
    with pytest.raises(StoreNotFound):
        translate(tmp_path / "none.zarr", None, options(run))
    with pytest.raises(InputError, match="--tile"):
        translate(
            tmp_path / "two.zarr", None, options(run, tile=8, select=Selection(channels=(0,)))
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_nifti_header_travels_with_a_whole_image_and_not_with_a_part(
    tmp_path: Path, run: Path
) -> None:
    save_image(tmp_path / "a.zarr", noise(1, 1, 3, 70, 80), "zyx")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    group.create_array("nifti", data=(np.arange(348) % 256).astype(np.uint8))
    stored = dict(group.attrs)
    own = stored["stable_tiles"]
    assert isinstance(own, dict)
    group.attrs["stable_tiles"] = own | {"nifti": {"affine": [[1.0]]}}
    translate(tmp_path / "a.zarr", tmp_path / "b.zarr", options(run))
    made = open_image(tmp_path / "b.zarr")
    assert made.attributes["nifti"] == {"affine": [[1.0]]}
    header = zarr.open_group(tmp_path / "b.zarr", mode="r")["nifti"]
    assert isinstance(header, zarr.Array)
    assert np.array_equal(header[...], np.arange(348) % 256)
    part = options(run, select=Selection(z=(0, 2)))
    translate(tmp_path / "a.zarr", tmp_path / "c.zarr", part)
    assert "nifti" not in open_image(tmp_path / "c.zarr").attributes
