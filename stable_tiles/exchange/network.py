"""STABLE's networks as ONNX graphs of plain operations, for images of any size.

What is fixed outside training is computed here once: demodulated filters,
norms with fixed statistics (folded into the filters), bounds of learned
displacements.  Dynamic upsampling becomes one GridSample.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from stable_tiles.errors import ModelError
from stable_tiles.exchange.graph import Graph
from stable_tiles.networks.convolution import NormedConv2d, PlainConv2d
from stable_tiles.networks.layers import GROUPS, DySample
from stable_tiles.networks.network import Direction, Network
from stable_tiles.networks.statistics import fixed_affine
from stable_tiles.networks.translator import Translator
from stable_tiles.networks.unet import Block, UNet, Up

_PLANE = [2, 3]
"""The axes y and x of (n, c, h, w)."""


def translation(graph: Graph, network: Network, direction: Direction, x: str) -> str:
    """Add a translation to a graph.

    Parameters
    ----------
    graph : Graph
        Where its nodes go.
    network : Network
        In evaluation mode, its instance norms, if any, frozen.
    direction : "a2b" or "b2a"
    x : str
        Images (n, c, h, w) in network units.

    Returns
    -------
    str
        Images (n, c', h, w) in network units.

    Raises
    ------
    ModelError
        If the network is none of STABLE's, or has parts that depend on the whole image.
    """
    if not isinstance(network, Translator):
        raise ModelError(
            "only STABLE's networks can be exported, and this model has the architecture "
            f"{getattr(network.settings, 'architecture', '?')}: translate with stable-tiles"
        )
    encoder, decoder = (
        cast(UNet, network.get_submodule(name)) for name in network.parts(direction)
    )
    scale = network.settings.feature_scale
    size = graph.size(x)
    x = _unet(graph, encoder, x)
    if scale > 1:
        sides = [scale, scale]
        x = graph.add("AveragePool", x, kernel_shape=sides, strides=sides, ceil_mode=1)
        x = _cropped(graph, _bilinear(graph, x, scale), size)
    return _unet(graph, decoder, x)


def _unet(graph: Graph, network: UNet, x: str) -> str:
    """The network for any h and w from 1, as `UNet.forward`."""
    size = graph.size(x)
    least = graph.constant([network.stride] * 2)
    x = _continued(graph, x, graph.add("Max", size, least))
    x = _block(graph, network.first, x)
    skips = []
    for down in cast("list[Block]", network.downs):
        skips.append(x)
        x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        x = _block(graph, down, x)
    for up in cast("list[Up]", network.ups):
        skip = skips.pop()
        x = _conv(graph, up.narrow, _enlarged(graph, up.upsample, x))
        x = graph.add("Concat", skip, _continued(graph, x, graph.size(skip)), axis=1)
        x = _block(graph, up.block, x)
    wide, _, last = cast("tuple[PlainConv2d, nn.Module, PlainConv2d]", tuple(network.head))
    x = graph.add("Relu", _conv(graph, wide, x))
    return _cropped(graph, _conv(graph, last, x), size)


def _continued(graph: Graph, x: str, size: str) -> str:
    """The map with zeros at the bottom and the right, up to `size` (h, w)."""
    missing = graph.add("Sub", size, graph.size(x))
    return graph.add("Pad", x, graph.shapes([0] * 6, missing), mode="constant")


def _cropped(graph: Graph, x: str, size: str) -> str:
    return graph.add("Slice", x, graph.constant([0, 0]), size, graph.constant(_PLANE))


def _block(graph: Graph, block: Block, x: str) -> str:
    for layer in (block.inner, block.outer):
        x = graph.add("Relu", _normed(graph, layer, x))
    return x


def _normed(graph: Graph, layer: NormedConv2d, x: str) -> str:
    """A convolution and its norm, as one convolution."""
    filters, fixed = layer.conv.filters(), fixed_affine(layer.norm)
    if fixed is not None:
        scale, shift = fixed
        return _convolution(graph, x, filters * scale.view(-1, 1, 1, 1), shift)
    if not isinstance(layer.norm, nn.Identity):
        raise ModelError(
            "the model's instance norms have no statistics of their own, so a pixel depends on "
            "the whole image: train with network.norm instance again, which gathers them"
        )
    return _convolution(graph, x, filters, None)


def _conv(graph: Graph, layer: nn.Module, x: str) -> str:
    if not isinstance(layer, PlainConv2d):
        raise ModelError(
            "network.upsampling deformable cannot be exported: only dynamic and bilinear can"
        )
    return _convolution(graph, x, layer.filters(), layer.bias)


def _convolution(graph: Graph, x: str, filters: Tensor, bias: Tensor | None) -> str:
    margin = filters.shape[2] // 2
    given = [graph.constant(_array(filters), f"filters of {x}")]
    if bias is not None:
        given.append(graph.constant(_array(bias), f"bias of {x}"))
    sides = [filters.shape[2], filters.shape[3]]
    return graph.add("Conv", x, *given, kernel_shape=sides, pads=[margin] * 4)


def _enlarged(graph: Graph, layer: nn.Module, x: str) -> str:
    return _dynamic(graph, layer, x) if isinstance(layer, DySample) else _bilinear(graph, x, 2)


def _bilinear(graph: Graph, x: str, scale: int) -> str:
    """The map enlarged, pixel centres kept."""
    return graph.add(
        "Resize",
        x,
        "",
        graph.constant([1.0, 1.0, float(scale), float(scale)]),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def _dynamic(graph: Graph, layer: DySample, x: str) -> str:
    """Sample every group of channels at its own positions.

    The displacements that nothing is learned of are those of the output's own
    pixel centres, so the grid is these centres plus what is learned.
    """
    size = graph.size(x)
    moved = _displacements(graph, layer, x)
    channels = layer.offset.in_channels
    folded = graph.add("Reshape", x, graph.shapes([-1, channels // GROUPS], size))
    doubled = graph.add("Mul", size, graph.constant([2, 2]))
    moved = graph.add("Reshape", moved, graph.shapes([-1, 2], doubled))
    grid = graph.add("Concat", *(_places(graph, moved, doubled, axis) for axis in (1, 0)), axis=3)
    sampled = graph.add(
        "GridSample", folded, grid, mode="bilinear", padding_mode="border", align_corners=0
    )
    return graph.add("Reshape", sampled, graph.shapes([-1, channels], doubled))


def _displacements(graph: Graph, layer: DySample, x: str) -> str:
    """What is learned (n, group and x before y, 2h, 2w), in pixels of the map, bounded."""
    weight, bias = layer.offset.filters(), layer.offset.bias
    assert bias is not None  # as the layer is built
    # from (xy, group, row, column) to (group, xy, row, column), which DepthToSpace spreads
    order = np.arange(len(weight)).reshape(2, GROUPS, 4).transpose(1, 0, 2).ravel()
    learned = _convolution(graph, x, 0.25 * weight[order], 0.25 * bias[order])
    bound = float(layer.bound)
    learned = graph.add("Clip", learned, graph.constant(-bound), graph.constant(bound))
    return graph.add("DepthToSpace", learned, blocksize=2, mode="CRD")


def _places(graph: Graph, moved: str, doubled: str, axis: int) -> str:
    """Positions along y (0) or x (1) in grid units, (n groups, 2h, 2w, 1)."""
    zero, one = graph.constant(0), graph.constant(1)
    count = graph.add("Gather", doubled, graph.constant(axis), axis=0)
    steps = graph.add("Cast", graph.add("Range", zero, count, one), to=1)
    pixels = graph.add("Cast", count, to=1)
    middle = graph.add("Add", graph.add("Add", steps, steps), graph.constant(1.0))
    centre = graph.add("Sub", graph.add("Div", middle, pixels), graph.constant(1.0))
    if axis == 0:
        centre = graph.add("Unsqueeze", centre, graph.constant([1]))
    channel = graph.add("Gather", moved, graph.constant(1 - axis), axis=1)
    # a pixel of the map is two of the doubled one, and the grid is two units wide
    shift = graph.add("Div", graph.add("Mul", channel, graph.constant(4.0)), pixels)
    return graph.add("Unsqueeze", graph.add("Add", shift, centre), graph.constant([3]))


def _array(values: Tensor) -> npt.NDArray[np.float32]:
    return values.detach().cpu().numpy()
