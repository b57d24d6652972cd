"""The training method that the settings name."""

from __future__ import annotations

import torch

from stable_tiles.methods.cut import Cut
from stable_tiles.methods.cyclegan import Cyclegan
from stable_tiles.methods.method import Method, Share, alone
from stable_tiles.methods.munit import Munit
from stable_tiles.methods.santa import Santa
from stable_tiles.methods.stable import Stable
from stable_tiles.methods.support import Support
from stable_tiles.methods.utom import Utom
from stable_tiles.settings import MethodName, Settings

METHODS: dict[MethodName, type[Stable | Cyclegan | Utom | Munit | Santa | Cut | Support]] = {
    "stable": Stable,
    "cyclegan": Cyclegan,
    "utom": Utom,
    "munit": Munit,
    "santa": Santa,
    "cut": Cut,
    "support": Support,
}
"""All methods by the names that settings know."""


def create(
    settings: Settings,
    channels_a: int,
    channels_b: int,
    device: str | torch.device,
    share: Share = alone,
) -> Method:
    """A fresh method with weights drawn from ``training.seed``.

    Parameters
    ----------
    settings : Settings
        Which method, and all that it needs.
    channels_a, channels_b : int
        Channels of the images of either domain.
    device : str or torch.device
        Where networks live and steps run.
    share : Share
        Averages gradients over the processes that train together.

    Returns
    -------
    Method

    Raises
    ------
    SettingsError
        If the network's widths do not fit its upsampling, or the domains'
        channels not the method.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.training.seed)
        method = METHODS[settings.method]
        return method(settings, channels_a, channels_b, torch.device(device), share)
