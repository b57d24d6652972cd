"""The network that an architecture describes."""

from __future__ import annotations

from stable_tiles.networks.cut import CutNetwork
from stable_tiles.networks.deep_unet import DeepUnetNetwork
from stable_tiles.networks.munit import MunitNetwork
from stable_tiles.networks.network import Network
from stable_tiles.networks.resnet import ResnetNetwork
from stable_tiles.networks.santa import SantaNetwork
from stable_tiles.networks.support import SupportNetwork
from stable_tiles.networks.translator import Translator
from stable_tiles.rivals import (
    CutNetworkSettings,
    DeepUnetSettings,
    MunitNetworkSettings,
    ResnetSettings,
    SantaNetworkSettings,
)
from stable_tiles.sections import Architecture
from stable_tiles.settings import NetworkSettings
from stable_tiles.support import SupportNetworkSettings


def build(settings: Architecture, channels_a: int, channels_b: int) -> Network:
    """A network with fresh weights.

    Parameters
    ----------
    settings : Architecture
        What it is made of.
    channels_a, channels_b : int
        Channels of the images of either domain.

    Raises
    ------
    SettingsError
        If widths or channels do not fit the architecture.
    """
    network: Network
    match settings:
        case NetworkSettings():
            network = Translator(channels_a, channels_b, settings)
        case ResnetSettings():
            network = ResnetNetwork(channels_a, channels_b, settings)
        case DeepUnetSettings():
            network = DeepUnetNetwork(channels_a, channels_b, settings)
        case MunitNetworkSettings():
            network = MunitNetwork(channels_a, channels_b, settings)
        case SantaNetworkSettings():
            network = SantaNetwork(channels_a, channels_b, settings)
        case CutNetworkSettings():
            network = CutNetwork(channels_a, channels_b, settings)
        case SupportNetworkSettings():
            network = SupportNetwork(channels_a, channels_b, settings)
        case _:
            raise TypeError(f"no network is known for {type(settings).__name__}")
    return network
