import pytest
import torch

from stable_tiles.errors import DeviceUnavailable
from stable_tiles.train.device import choose_device, choose_precision


def test_a_device_that_is_not_here_is_refused_with_those_that_are() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceUnavailable, match="--device cuda is not on this machine: use one of"):
        choose_device("cuda")


def test_auto_takes_a_device_that_is_here() -> None:
    assert choose_device(choose_device("auto").type) == choose_device("auto")  # type: ignore[arg-type]  # a device's type is one of the names


def test_auto_precision_is_settled_and_a_wish_is_kept() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) in {"32", "bf16"}
    assert choose_precision("32", cpu) == "32"
    assert choose_precision("bf16", cpu) == "bf16"
