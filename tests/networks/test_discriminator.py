from __future__ import annotations

import torch
from torch import nn

from stable_tiles.networks.discriminator import PatchDiscriminator
from stable_tiles.settings import DiscriminatorSettings
from tests.networks.nets import images


def test_it_has_as_many_parameters_as_the_paper_says() -> None:
    critic = PatchDiscriminator(1, DiscriminatorSettings())
    assert round(sum(p.numel() for p in critic.parameters()) / 1e6, 2) == 0.66


def test_verdicts_stand_eight_pixels_apart_and_see_38() -> None:
    critic = PatchDiscriminator(1, DiscriminatorSettings(norm="none")).eval()
    x = images(1, 1, 128, 128).requires_grad_()
    (verdicts,) = critic(x)
    assert verdicts.shape == (1, 1, 16, 16)
    verdicts[0, 0, 8, 8].backward()
    assert x.grad is not None
    seen = x.grad[0, 0].nonzero()
    assert (seen.max(dim=0).values - seen.min(dim=0).values + 1).tolist() == [38, 38]


def test_further_scales_judge_the_averaged_image() -> None:
    critic = PatchDiscriminator(3, DiscriminatorSettings(scales=2, norm="none"))
    x = images(1, 3, 32, 32)
    verdicts = critic(x)
    halved = x.view(1, 3, 16, 2, 16, 2).mean(dim=(3, 5))
    assert [v.shape[-1] for v in verdicts] == [4, 2]
    torch.testing.assert_close(verdicts[1], critic.scales[1](halved))


def test_the_first_convolution_has_no_norm() -> None:
    (layers,) = PatchDiscriminator(1, DiscriminatorSettings()).scales
    kinds = [type(layer) for layer in layers.children()]
    assert kinds[:5] == [nn.Conv2d, nn.LeakyReLU, nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
