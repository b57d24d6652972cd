"""Find cells with a pixel classifier in an ONNX file, computed in overlapping tiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.transform import resize

from stable_tiles.errors import InputError, MissingExtra, first_line
from stable_tiles.evaluate.segment import Labels, Plane, basins, drop_small

FREE_SIDE = 256
"""Side of the tiles where the model leaves it open, pixels."""

MARGIN = 4
"""How far what is found depends on what is around it, in diameters, beside a tile."""

Map = npt.NDArray[np.float32]


@dataclass(frozen=True)
class OnnxOptions:
    """What a pixel classifier expects of its input, as it was trained.

    Parameters
    ----------
    diameter : float or None
        Diameter of cells in its training images, pixels: images are resized so
        that theirs are as large.  None leaves images as they are.
    mean, sd : float or None
        What is subtracted from pixels, and divides them, after the image's
        highest pixel became 1.  None takes the image's own.
    """

    diameter: float | None = None
    mean: float | None = None
    sd: float | None = None

    def __post_init__(self) -> None:
        if self.diameter is not None and not self.diameter > 0:
            raise InputError(f"--onnx-diameter {self.diameter:g}: give a number above 0")
        if self.sd is not None and not self.sd > 0:
            raise InputError(f"--onnx-sd {self.sd:g}: give a number above 0")


@dataclass(frozen=True)
class PixelClassifier:
    """An ONNX model of one grey image in, (1, y, x, 1) or (1, 1, y, x).

    It puts out probabilities for every pixel: of several classes the first is
    background, a single one is foreground.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    scale : float
        Pixels of the model for a pixel of the image.
    diameter : float
        Typical diameter of the things, pixels of the image.
    low, span : float
        Pixel value that becomes 0, and how much above it becomes 1.
    """

    session: Any
    scale: float
    diameter: float
    low: float
    span: float

    @classmethod
    def fit(
        cls, path: Path, diameter: float, samples: list[Plane], options: OnnxOptions
    ) -> PixelClassifier:
        """The classifier for one image, judged by some of its planes or parts of them.

        Raises
        ------
        MissingExtra
            If onnxruntime is not installed.
        InputError
            If the file is missing or is no such model.
        """
        highest = max(float(sample.max()) for sample in samples) or 1.0
        pixels = np.concatenate([sample.ravel() for sample in samples])
        mean = float(pixels.mean()) / highest if options.mean is None else options.mean
        sd = float(pixels.std()) / highest if options.sd is None else options.sd
        scale = 1.0 if options.diameter is None else options.diameter / diameter
        return cls(_load(path), scale, diameter, mean * highest, (sd or 1.0) * highest)

    @property
    def margin(self) -> int:
        """Pixels around a part of a plane that its things depend on."""
        return round(MARGIN * self.diameter + self._side / self.scale)

    def __call__(self, plane: Plane) -> Labels:
        """Number the things in a plane, (y, x); 0 is background.

        Where background is the less likely, between seeds at the maxima of the
        smoothed probability.
        """
        shape = tuple(max(1, round(n * self.scale)) for n in plane.shape)
        small = _resized((plane - self.low) / self.span, shape)
        likely = _resized(self._probability(small), plane.shape)
        things = basins(ndimage.gaussian_filter(likely, 0.15 * self.diameter), self.diameter, 0.3)
        return drop_small(np.where(likely > 0.5, things, 0), self.diameter)

    def _probability(self, plane: Map) -> Map:
        """Of being no background, (y, x); of each tile what is an eighth off its edges is kept."""
        side, halo = self._side, self._side // 8
        core = side - 2 * halo
        after = [-n % core for n in plane.shape]
        padded = np.pad(plane, [(halo, halo + n) for n in after], mode="reflect")
        likely = np.empty(
            [n + more for n, more in zip(plane.shape, after, strict=True)], np.float32
        )
        for y in range(0, likely.shape[0], core):
            for x in range(0, likely.shape[1], core):
                tile = self._tile(padded[y : y + side, x : x + side])
                likely[y : y + core, x : x + core] = tile[halo:-halo, halo:-halo]
        return likely[: plane.shape[0], : plane.shape[1]]

    def _tile(self, tile: Map) -> Map:
        source = self.session.get_inputs()[0]
        given = tile[None, None] if self._channels_first else tile[None, :, :, None]
        out = np.asarray(self.session.run(None, {source.name: given.astype(np.float32)})[0])
        if out.shape[-2:] == tile.shape:
            out = np.moveaxis(out, 1, -1)
        if out.ndim != 4 or out.shape[1:3] != tile.shape:
            raise InputError(f"the ONNX model answers {tile.shape} pixels with {out.shape}")
        likely: Map = out[0, ..., 0] if out.shape[-1] == 1 else 1 - out[0, ..., 0]
        return likely

    @property
    def _channels_first(self) -> bool:
        return bool(self.session.get_inputs()[0].shape[1] == 1)

    @property
    def _side(self) -> int:
        wanted = self.session.get_inputs()[0].shape[2]
        return wanted if isinstance(wanted, int) and wanted > 0 else FREE_SIDE


def _resized(plane: Map, shape: tuple[int, ...]) -> Map:
    if shape == plane.shape:
        return plane
    smaller = shape[0] < plane.shape[0]
    resized: Map = resize(  # type: ignore[no-untyped-call]  # scikit-image
        plane.astype(np.float32), shape, order=1, anti_aliasing=smaller, preserve_range=True
    )
    return resized


def _load(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra(
            f"--segmenter {path.name} needs a package that is not here: "
            "pip install 'stable-tiles[onnx]'"
        ) from None
    if not path.is_file():
        raise InputError(f"no ONNX model {path}: check --segmenter")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise InputError(f"{path.name} is no ONNX model: {first_line(error)}") from error
    source = session.get_inputs()[0]
    if len(source.shape) != 4 or 1 not in (source.shape[1], source.shape[3]):
        raise InputError(
            f"{path.name} takes {source.shape}: a model of one grey image, (n, y, x, 1) or "
            "(n, 1, y, x), is needed"
        )
    return session
