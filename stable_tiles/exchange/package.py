"""A model as a BioImage.IO package: description, ONNX weights, test images, card and cover.

The description follows the model specification 0.5 of
https://github.com/bioimage-io/spec-bioimage-io.  Packages take pixels as they
are and give pixels: both domains' normalisation stands in the description.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import yaml
from scipy import ndimage

from stable_tiles.card import model_card
from stable_tiles.domain import Domain
from stable_tiles.evaluate.views import beside, grey, png
from stable_tiles.intensity import Normalizer
from stable_tiles.model import Model
from stable_tiles.networks.network import Direction

FORMAT_VERSION = "0.5.4"
"""Of the specification; readers take all that begin alike."""

_CITE = {
    "text": "You et al., Preserving spatial and quantitative information in unpaired biomedical "
    "image-to-image translation",
    "doi": "10.6084/m9.figshare.28936559",
}
_WEIGHTS, _DOCUMENTATION, _COVER = "weights.onnx", "README.md", "cover.png"
_INPUT, _OUTPUT = "test_input.npy", "test_output.npy"
_EPSILON = 1e-6
"""What the specification adds to the span of percentiles."""

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of all files, so that one model gives one package."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class About:
    """What nobody can know but who publishes the model.

    Parameters
    ----------
    authors : tuple of str
        Names.
    license : str or None
        SPDX identifier of the weights' licence; left out of the description where not given.
    """

    authors: tuple[str, ...] = ()
    license: str | None = None


def package_bytes(
    model: Model, direction: Direction, content: bytes, opset: int, about: About
) -> bytes:
    """The package as a zip file; the same model gives the same bytes.

    Parameters
    ----------
    model : Model
        In evaluation mode, its instance norms, if any, frozen.
    direction : "a2b" or "b2a"
    content : bytes
        The translation as ONNX.
    opset : int
        Version of its operators.
    about : About
    """
    given, made = _test_images(model, direction)
    files = {
        _WEIGHTS: content,
        _INPUT: _npy(given),
        _OUTPUT: _npy(made),
        _COVER: png(beside([grey(given[0].astype(np.float64)), grey(made[0].astype(np.float64))])),
        _DOCUMENTATION: _documentation(model, direction).encode(),
    }
    described = _description(model, direction, opset, about, files)
    files["rdf.yaml"] = yaml.safe_dump(described, sort_keys=False, allow_unicode=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            package.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _description(
    model: Model, direction: Direction, opset: int, about: About, files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The file rdf.yaml."""
    source, target = model.source(direction), model.target(direction)
    names = (" ".join(domain.channel_names) for domain in (source, target))
    from_names, to_names = (re.sub(r"[^A-Za-z0-9_+ -]", "", name)[:24] for name in names)
    least, halo = _sizes(model, direction)

    def part(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

    free = {"size": {"min": least, "step": model.stride}}
    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": f"Translation {from_names} to {to_names}",
        "description": f"Unpaired translation of {source.channels}-channel images "
        f"({', '.join(source.channel_names)}) to {target.channels} channels "
        f"({', '.join(target.channel_names)}), trained with stable-tiles."[:1000],
        "authors": [{"name": name} for name in about.authors],
        **({"license": about.license} if about.license else {}),
        "cite": [_CITE],
        "tags": ["image-to-image", "unpaired", "virtual-staining", "2d", "stable-tiles"],
        "covers": [_COVER],
        "documentation": part(_DOCUMENTATION),
        "inputs": [
            {
                "id": "image",
                "axes": _axes(source, {"y": free, "x": free}),
                "data": {"type": source.dtype},
                "test_tensor": part(_INPUT),
                "preprocessing": _preprocessing(source),
            }
        ],
        "outputs": [
            {
                "id": "translation",
                "axes": _axes(target, {name: _same(name, halo) for name in ("y", "x")}),
                "data": {"type": "float32"},
                "test_tensor": part(_OUTPUT),
                "postprocessing": _scaling(*_leaving(target.normalizer)),
            }
        ],
        "weights": {"onnx": {**part(_WEIGHTS), "opset_version": opset}},
        "config": {"stable_tiles": {"model_digest": model.digest, "direction": direction}},
    }


def _sizes(model: Model, direction: Direction) -> tuple[int, int]:
    """Least side of an image, and the halo, both multiples of the stride, pixels."""
    stride = model.stride
    halo = -(-model.local_reach(direction) // stride) * stride
    return 2 * halo + 8 * stride, halo


def _same(name: str, halo: int) -> dict[str, Any]:
    """The size of the input's axis, of which a halo is to be cut off."""
    return {"size": {"tensor_id": "image", "axis_id": name}, "halo": halo}


def _axes(domain: Domain, sizes: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The axes (batch, channel, y, x) of a tensor.

    The pixel size stands in the card, not here: readers multiply and divide
    sizes by it, and truncate what rounding leaves.
    """
    names = [f"c{i}_{re.sub(r'[^A-Za-z0-9]', '_', n)}" for i, n in enumerate(domain.channel_names)]
    plane = [{"type": "space", "id": name, **size} for name, size in sizes.items()]
    return [{"type": "batch"}, {"type": "channel", "channel_names": names}, *plane]


def _preprocessing(source: Domain) -> list[dict[str, Any]]:
    """How pixels become network units."""
    asked = source.normalization
    steps = []
    if asked.kind == "percentile":
        low, high = asked.bounds
        axes = ["y", "x"] if asked.per == "channel" else ["channel", "y", "x"]
        kwargs = {"axes": axes, "min_percentile": low, "max_percentile": high, "eps": _EPSILON}
        steps = [{"id": "scale_range", "kwargs": kwargs}]
    elif asked.kind == "range":
        steps = _scaling(*_entering(source.normalizer))
    return [*steps, {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]


def _entering(normalizer: Normalizer) -> tuple[list[float], list[float]]:
    """Factors, and what is added after."""
    pairs = list(zip(normalizer.low, normalizer.high, strict=True))
    return [1 / (high - low) for low, high in pairs], [-low / (high - low) for low, high in pairs]


def _leaving(normalizer: Normalizer) -> tuple[list[float], list[float]]:
    pairs = list(zip(normalizer.low, normalizer.high, strict=True))
    return [high - low for low, high in pairs], [low for low, _ in pairs]


def _scaling(gain: list[float], offset: list[float]) -> list[dict[str, Any]]:
    """A linear map of all values, or of each channel; nothing where it changes nothing."""
    if set(gain) == {1.0} and set(offset) == {0.0}:
        return []
    if len(gain) == 1:
        return [{"id": "scale_linear", "kwargs": {"gain": gain[0], "offset": offset[0]}}]
    return [{"id": "scale_linear", "kwargs": {"axis": "channel", "gain": gain, "offset": offset}}]


def _test_images(model: Model, direction: Direction) -> tuple[Array, Array]:
    """Smooth noise in the source's range (1, c, y, x), and what the description makes of it."""
    source, target = model.source(direction), model.target(direction)
    side, _ = _sizes(model, direction)
    shape = (1, source.channels, side, side)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random(shape), (0, 0, 3, 3))
    noise = (noise - noise.min()) / np.ptp(noise)
    pixels = source.normalizer.denormalize(noise).astype(source.dtype)
    units = _normalized(pixels, source).astype(np.float32)
    with torch.inference_mode():
        made = model.network.translate(torch.from_numpy(units), direction).numpy()
    return pixels, target.normalizer.denormalize(made).astype(np.float32)


def _normalized(pixels: Array, source: Domain) -> Array:
    """Pixels in network units, as the specification's steps compute them."""
    asked = source.normalization
    if asked.kind == "percentile":
        axes = (2, 3) if asked.per == "channel" else (1, 2, 3)
        bounds = [bound for bound in asked.bounds if bound is not None]  # both, of this kind
        low, high = np.percentile(pixels, bounds, axis=axes, keepdims=True)
        return np.asarray((pixels - low) / (high - low + _EPSILON))
    return source.normalizer.normalize(pixels) if asked.kind == "range" else pixels


def _documentation(model: Model, direction: Direction) -> str:
    """The model's card, and what differs in this package."""
    _, halo = _sizes(model, direction)
    return (
        model_card(model, f"Translation {direction}")
        + f"""
## This package

The weights translate {direction} in network units; the description normalises pixels before, and
gives pixels of the target domain after. An output pixel depends on fewer than {halo} pixels around
it: programs that cut images into blocks should overlap them by as many, and begin them at
multiples of {model.stride}. Percentiles are those of the image that is given: of a block, they are
the block's. Where several channels are normalised together they are percentiles over all
channels; stable-tiles takes the least and the largest of the channels' own.
"""
    )


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
