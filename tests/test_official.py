from __future__ import annotations

import io
import json
import os
import pickle
import random
import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from stable_tiles.errors import ModelError, OutputExists, StoreNotFound
from stable_tiles.model import load_model
from stable_tiles.official import UNMEASURED_BOUND, import_official, read_official
from tests.networks.nets import images

WIDTHS = (8, 16, 32)
FOUR = (4, 8, 8, 16)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape)


def block_tensors(prefix: str, first: int, middle: int, last: int, norm: str) -> dict[str, Tensor]:
    tensors = {}
    for at, (i, o) in ((0, (first, middle)), (3, (middle, last))):
        tensors[f"{prefix}.double_conv.{at}.weight"] = draw(1, o, i, 3, 3)
        if norm == "batch":
            name = f"{prefix}.double_conv.{at + 1}"
            tensors[f"{name}.weight"] = draw(o).abs() + 0.5
            tensors[f"{name}.bias"] = draw(o)
            tensors[f"{name}.running_mean"] = draw(o)
            tensors[f"{name}.running_var"] = draw(o).abs() + 0.5
            tensors[f"{name}.num_batches_tracked"] = torch.tensor(7)
    return tensors


def unet_tensors(
    channels_in: int, channels_out: int, norm: str, widths: tuple[int, ...]
) -> dict[str, Tensor]:
    tensors = block_tensors("inc", channels_in, widths[0], widths[0], norm)
    for n, (above, below) in enumerate(pairwise(widths)):
        tensors |= block_tensors(f"downs.{n}.maxpool_conv.1", above, below, below, norm)
    rising = widths[::-1]
    for n, (below, above) in enumerate(pairwise(rising)):
        tensors[f"ups.{n}.up.offset.weight"] = 0.05 * draw(32, below, 1, 1)
        tensors[f"ups.{n}.up.offset.bias"] = 0.1 * draw(32)
        tensors[f"ups.{n}.up.init_pos"] = quarter_steps()
        joined = above + below // 2
        tensors[f"ups.{n}.upconv.weight"] = 0.1 * draw(below // 2, below, 3, 3)
        tensors |= block_tensors(f"ups.{n}.conv", joined, joined // 2, above, norm)
    tensors["outc.conv.0.weight"] = 0.1 * draw(widths[0], widths[0], 3, 3)
    tensors["outc.conv.2.weight"] = 0.1 * draw(channels_out, widths[0], 1, 1)
    tensors["outc.conv.2.bias"] = draw(channels_out)
    return tensors


def quarter_steps() -> Tensor:
    """Start positions (1, 32, 1, 1): x or y, group, row, column."""
    start = torch.empty(2, 4, 2, 2)
    start[0] = torch.tensor([-0.25, 0.25])
    start[1] = torch.tensor([[-0.25], [0.25]])
    return start.view(1, 32, 1, 1)


def reference_block(tensors: dict[str, Tensor], prefix: str, x: Tensor) -> Tensor:
    for at in (0, 3):
        weight = tensors[f"{prefix}.double_conv.{at}.weight"][0]
        norm = (weight**2).sum(dim=(1, 2, 3), keepdim=True).add(1e-8).sqrt()
        x = functional.conv2d(x, weight / norm, padding=1)
        name = f"{prefix}.double_conv.{at + 1}"
        if f"{name}.weight" in tensors:
            mean, var = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
            gain, shift = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            x = functional.batch_norm(x, mean, var, gain, shift)
        x = x.relu()
    return x


def reference_upsampling(tensors: dict[str, Tensor], prefix: str, x: Tensor) -> Tensor:
    """DySample with normalised coordinates, one group of channels at a time."""
    weight, bias = (tensors[f"{prefix}.offset.{name}"] for name in ("weight", "bias"))
    moved = 0.25 * functional.conv2d(x, weight, bias) + tensors[f"{prefix}.init_pos"]
    n, _, height, width = x.shape
    column = torch.arange(width).repeat_interleave(2) + 0.5
    row = (torch.arange(height).repeat_interleave(2) + 0.5)[:, None]
    fine = functional.pixel_shuffle(moved, 2).view(n, 2, 4, 2 * height, 2 * width)
    made = []
    for group, part in enumerate(torch.chunk(x, 4, dim=1)):
        grid_x = 2 * (column + fine[:, 0, group]) / width - 1
        grid_y = 2 * (row + fine[:, 1, group]) / height - 1
        grid = torch.stack([grid_x, grid_y], dim=-1)
        made.append(functional.grid_sample(part, grid, padding_mode="border", align_corners=False))
    return torch.cat(made, dim=1)


def reference(tensors: dict[str, Tensor], x: Tensor) -> Tensor:
    maps = [reference_block(tensors, "inc", x)]
    steps = sum(name.endswith("up.init_pos") for name in tensors)
    for n in range(steps):
        halved = functional.max_pool2d(maps[-1], 2)
        maps.append(reference_block(tensors, f"downs.{n}.maxpool_conv.1", halved))
    x = maps.pop()
    for n in range(steps):
        skip = maps.pop()
        x = reference_upsampling(tensors, f"ups.{n}.up", x)
        x = functional.conv2d(x, tensors[f"ups.{n}.upconv.weight"], padding=1)
        missing = (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2])
        x = torch.cat([skip, functional.pad(x, missing)], dim=1)
        x = reference_block(tensors, f"ups.{n}.conv", x)
    x = functional.conv2d(x, tensors["outc.conv.0.weight"], padding=1).relu()
    return functional.conv2d(x, tensors["outc.conv.2.weight"], tensors["outc.conv.2.bias"])


def write(
    folder: Path, channels: int = 1, norm: str = "batch", widths: tuple[int, ...] = WIDTHS
) -> tuple[dict[str, Any], Path]:
    """A checkpoint and settings as the authors' program writes them."""
    torch.manual_seed(0)
    networks: dict[str, Any] = {
        "Enc1": unet_tensors(channels, 3, norm, widths),
        "Dec1": unet_tensors(3, channels, norm, widths),
        "Enc2": unet_tensors(channels, 3, norm, widths),
        "Dec2": unet_tensors(3, channels, norm, widths),
        "D1": {"models.disc_0.0.weight": draw(2)},
        "D2": {},
    }
    torch.save(networks, folder / "model_10.pth")
    asked = {"n_in": channels, "n_out": channels, "n_info": 3, "G_mid_channels": widths}
    asked |= {"G_norm_type": norm, "G_demodulated": True, "momentum": 0.1, "device": "cuda"}
    asked |= {"enc_act": "relu", "dec_act": "relu", "lr_G": 3e-4}
    (folder / "settings.json").write_text(json.dumps(asked))
    return networks, folder / "model_10.pth"


@torch.inference_mode()
@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("widths", [WIDTHS, FOUR], ids=["three levels", "four levels"])
@pytest.mark.parametrize("size", [(24, 32), (21, 27)])
def test_an_imported_network_does_what_the_authors_does(
    tmp_path: Path, norm: str, channels: int, widths: tuple[int, ...], size: tuple[int, int]
) -> None:
    networks, checkpoint = write(tmp_path, channels, norm, widths)
    model = read_official(checkpoint, tmp_path / "settings.json")
    x = images(2, channels, *size)
    for direction, encoder, decoder in (("a2b", "Enc1", "Dec2"), ("b2a", "Enc2", "Dec1")):
        wanted = reference(networks[decoder], reference(networks[encoder], x))
        made = model.network.translate(x, "a2b" if direction == "a2b" else "b2a")
        assert (made - wanted).abs().max() <= 1e-5 * max(1.0, float(wanted.abs().max()))


def test_an_imported_model_can_be_saved_and_measured(tmp_path: Path) -> None:
    _, checkpoint = write(tmp_path)
    model = read_official(checkpoint, tmp_path / "settings.json")
    before = model.reach("a2b")
    assert before is not None
    bounds = {float(v) for k, v in model.network.state_dict().items() if k.endswith(".bound")}
    assert bounds == {UNMEASURED_BOUND}
    model.network.settle([(images(1, 1, 32, 32), images(1, 1, 32, 32))])
    after = model.reach("a2b")
    assert after is not None
    assert after < before
    model.save(tmp_path / "run")


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def in_a_plain_pickle(tree: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(tree))


def in_a_zip(tree: object, path: Path) -> None:
    torch.save(tree, path)


def in_the_legacy_format(tree: object, path: Path) -> None:
    torch.save(tree, path, _use_new_zipfile_serialization=False)


def in_a_tar(tree: object, path: Path) -> None:
    """The format of torch before 0.1.10: a tar file with a pickle in it."""
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle", "sys_info"):
            content = pickle.dumps(tree)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize(
    "save", [in_a_plain_pickle, in_a_zip, in_the_legacy_format, in_a_tar], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("nested", [False, True], ids=["at the top", "among the tensors"])
def test_a_checkpoint_that_executes_code_is_refused_unexecuted(
    tmp_path: Path, save: Callable[[object, Path], None], nested: bool
) -> None:
    networks, _ = write(tmp_path)
    trap = Trap(tmp_path / "sprung")
    tree = {**networks, "Dec2": {**networks["Dec2"], "inc": trap}} if nested else {"Enc1": trap}
    save(tree, tmp_path / "trap.pth")
    with pytest.raises(ModelError) as raised:
        import_official(tmp_path / "trap.pth", tmp_path / "settings.json", tmp_path / "run")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "run").exists()


@settings(deadline=None, max_examples=40)
@given(legacy=st.booleans(), seed=st.integers(0, 2**32 - 1), cut=st.booleans())
def test_a_damaged_checkpoint_is_read_right_or_refused_in_one_line(
    damaged: tuple[Path, list[bytes]], legacy: bool, seed: int, cut: bool
) -> None:
    folder, contents = damaged
    rng, content = random.Random(seed), bytearray(contents[legacy])
    if cut:
        content = content[: rng.randrange(len(content))]
    else:
        for _ in range(3):
            content[rng.randrange(min(len(content), 4000))] = rng.randrange(256)
    (folder / "damaged.pth").write_bytes(content)
    try:
        read_official(folder / "damaged.pth", folder / "settings.json")
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most damage must be refused, not all


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A folder with settings, and a whole checkpoint in both formats."""
    folder = tmp_path_factory.mktemp("damaged")
    networks, path = write(folder)
    in_the_legacy_format(networks, folder / "legacy.pth")
    return folder, [path.read_bytes(), (folder / "legacy.pth").read_bytes()]


def test_files_that_are_no_checkpoint_get_one_line(tmp_path: Path) -> None:
    write(tmp_path)
    asked = tmp_path / "settings.json"
    (tmp_path / "text.pth").write_text("hello")
    whole = (tmp_path / "model_10.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    torch.save({"weights": {}}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("text", "cut", "other", "list"):
        with pytest.raises(ModelError) as raised:
            read_official(tmp_path / f"{name}.pth", asked)
        assert "\n" not in str(raised.value)
    with pytest.raises(StoreNotFound, match="no checkpoint"):
        read_official(tmp_path / "nothing.pth", asked)
    with pytest.raises(StoreNotFound, match="no settings"):
        read_official(tmp_path / "model_10.pth", tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"G_mid_channels": [8, 16, 64]}, "shape"),
        ({"G_mid_channels": [8, 16]}, "no place"),
        ({"G_mid_channels": [8, 16, 32, 64]}, "shape|missing"),
        ({"G_norm_type": "none"}, "no place"),
        ({"n_info": 8}, "shape"),
        ({"n_info": None}, "n_info"),
        ({"enc_act": "leakyrelu"}, "only networks with relu"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    _, checkpoint = write(tmp_path)
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=message):
        read_official(checkpoint, path)


def spoilt(tensor: Tensor) -> Tensor:
    return torch.full_like(tensor, torch.nan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoilt, "NaN or infinite"),
        (lambda tensor: tensor.to(torch.complex64), "not plain floating-point"),
        (lambda tensor: tensor.to(torch.int32), "not plain floating-point"),
        (lambda tensor: tensor.to_sparse(), "not plain floating-point"),
        (lambda tensor: tensor[:1], "shape"),
        (lambda tensor: [1.0], "no place"),
    ],
    ids=["nan", "complex", "integers", "sparse", "shape", "list"],
)
def test_tensors_that_are_no_weights_are_refused(
    tmp_path: Path, change: Callable[[Tensor], Any], message: str
) -> None:
    networks, checkpoint = write(tmp_path)
    networks["Dec2"]["outc.conv.2.bias"] = change(networks["Dec2"]["outc.conv.0.weight"])
    networks["Dec2"]["outc.conv.0.weight"] = networks["Dec2"].pop("outc.conv.2.bias")
    torch.save(networks, checkpoint)
    with pytest.raises(ModelError, match=message):
        read_official(checkpoint, tmp_path / "settings.json")


def test_a_run_that_exists_is_replaced_only_when_asked(tmp_path: Path) -> None:
    _, checkpoint = write(tmp_path)
    arguments = (checkpoint, tmp_path / "settings.json")
    import_official(*arguments, tmp_path / "run")
    with pytest.raises(OutputExists, match="--overwrite"):
        import_official(*arguments, tmp_path / "run")
    with pytest.raises(OutputExists, match="is a file"):
        import_official(*arguments, checkpoint)
    made = import_official(*arguments, tmp_path / "run", overwrite=True)
    assert load_model(tmp_path / "run").digest == made.digest
