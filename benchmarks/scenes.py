"""What the benchmarks translate: planes like stained tissue, models with random weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import zoom

from stable_tiles.axes import Axes
from stable_tiles.domain import Domain
from stable_tiles.image.layout import plan_layout
from stable_tiles.image.ngff import RGB_COLORS, Channel
from stable_tiles.image.spec import ImageSpec
from stable_tiles.image.writer import create_store
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model
from stable_tiles.networks.translator import Translator
from stable_tiles.settings import NetworkSettings, Normalization

NAMES = ("red", "green", "blue")


def eight_bits(names: tuple[str, ...], colors: tuple[str, ...], dtype: str = "uint8") -> Domain:
    """Images of 0..255, whatever they are stored as."""
    ranged = Normalization(kind="range", low=0, high=255)
    return Domain(len(names), names, dtype, Normalizer((0.0,), (255.0,)), ranged, colors)


def save_random(folder: Path, settings: NetworkSettings, domains: dict[str, Domain]) -> None:
    """Save a model with random weights and random norm statistics."""
    torch.manual_seed(0)
    network = Translator(domains["a"].channels, domains["b"].channels, settings)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    Model(network, settings, domains, {}).save(folder)


def make_model(folder: Path, widths: tuple[int, ...], norm: str) -> None:
    """Save a model of colour to colour, 8 bits."""
    settings = NetworkSettings(widths=widths, features=3, norm=norm)
    save_random(folder, settings, dict.fromkeys("ab", eight_bits(NAMES, RGB_COLORS)))


def make_store(path: Path, size: int) -> None:
    """Write a colour plane of structures of 64 pixels and noise, region by region."""
    layout = plan_layout((1, 3, 1, size, size), 1, rgb=True)
    channels = tuple(Channel(*pair) for pair in zip(NAMES, RGB_COLORS, strict=True))
    spec = ImageSpec(Axes.named("cyx"), layout, "uint8", channels)
    writer = create_store(path, spec, {})
    rng = np.random.default_rng(0)
    for region in layout.regions():
        writer.write(region, tissue(rng, *region.shape[2:])[None, :, None])
    writer.seal(path, {"kind": "source"})


def tissue(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Structures of 64 pixels and noise, (c, y, x)."""
    coarse = rng.random((3, height // 64 + 2, width // 64 + 2), np.float32)
    smooth = zoom(coarse, (1, 64, 64), order=1)[:, :height, :width]
    pixels = smooth * 200 + 20 + rng.normal(0, 3, smooth.shape).astype(np.float32)
    return pixels.clip(0, 255).astype(np.uint8)


def array_digest(store: Path) -> str:
    """One digest over all array files of a store."""
    total = hashlib.sha256()
    for file in sorted(store.glob("[0-9]*/**/*")):
        if file.is_file():
            total.update(str(file.relative_to(store)).encode() + file.read_bytes())
    return total.hexdigest()
