import pytest
import torch

from stable_tiles.errors import DeviceUnavailable, WorkFailed
from stable_tiles.train.device import choose_device, choose_precision, deterministic


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


def test_several_processes_need_a_gpu_each_or_take_the_cpu() -> None:
    assert choose_device("auto", 2) == torch.device("cpu")
    count = torch.cuda.device_count() + 1
    if count > 1:
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceUnavailable, match="--gpus 2: this machine has 0 CUDA GPUs"):
        choose_device("cuda", 2)
    with pytest.raises(DeviceUnavailable, match="--device mps trains in one process"):
        choose_device("mps", 2)


def test_what_is_not_deterministic_is_refused_in_one_line_and_allowed_again_after() -> None:
    x = torch.zeros(4)
    with (
        pytest.raises(WorkFailed, match="put_ does not have a deterministic implementation"),
        deterministic(True),
    ):
        x.put_(torch.tensor([1, 1]), torch.tensor([1.0, 2.0]))
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(False):
        x.put_(torch.tensor([1, 1]), torch.tensor([1.0, 2.0]))
