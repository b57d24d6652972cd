import pytest
import torch

from stable_tiles.networks.translator import Translator
from stable_tiles.settings import NetworkSettings
from stable_tiles.train.average import Average

SMALL = NetworkSettings(widths=(4, 8), features=2)


def test_an_average_of_equal_weights_is_those_weights_and_stays_apart_from_them() -> None:
    network = Translator(1, 1, SMALL)
    average = Average(network, 0.9)
    for _ in range(5):
        average.update(network)
    for name, mine in average.network.state_dict().items():
        assert torch.allclose(mine.float(), network.state_dict()[name].float()), name
    with torch.no_grad():
        next(network.parameters()).add_(1)
    first = next(iter(average.network.parameters()))
    assert not torch.equal(first, next(network.parameters()))


def test_the_decay_rises_to_its_limit() -> None:
    network = Translator(1, 1, SMALL)
    average = Average(network, 0.5)
    weight = next(network.parameters())
    mine = next(iter(average.network.parameters()))
    expected = mine.detach().clone()
    for update in range(20):
        with torch.no_grad():
            weight.fill_(update)
        average.update(network)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update
    assert torch.allclose(mine, expected, rtol=1e-4)


def test_a_state_goes_on_where_it_was() -> None:
    network = Translator(1, 1, SMALL)
    one, two = Average(network, 0.9), Average(Translator(1, 1, SMALL), 0.9)
    one.update(network)
    two.restore(one.state())
    with torch.no_grad():
        next(network.parameters()).add_(1)
    one.update(network)
    two.update(network)
    assert one.state()["updates"] == two.state()["updates"] == 2
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, two.network.state_dict()[name]), name


@pytest.mark.parametrize("decay", [0.9])
def test_whole_numbers_are_copied(decay: float) -> None:
    network = Translator(1, 1, SMALL)
    average = Average(network, decay)
    network.train()
    network.translate(torch.rand(1, 1, 8, 8), "a2b")
    average.update(network)
    counts = [v for k, v in average.network.state_dict().items() if "num_batches" in k]
    assert any(int(count) == 1 for count in counts)
