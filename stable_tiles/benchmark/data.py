"""The data of a benchmark: the folders that ``simulate`` writes, or others laid out alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from stable_tiles.benchmark.paper import Study
from stable_tiles.errors import InputError
from stable_tiles.image.store import open_image
from stable_tiles.ledger import digest_of


@dataclass(frozen=True)
class Scene:
    """A test image and what is known of it.

    Parameters
    ----------
    source : Path
        The image of domain A.
    truth : Path or None
        The same scene in domain B.
    labels : Path or None
        Its true cells.
    """

    source: Path
    truth: Path | None
    labels: Path | None

    @property
    def name(self) -> str:
        """The file's."""
        return self.source.name


@dataclass(frozen=True)
class DataSet:
    """Unpaired images to train on, and scenes to be judged by.

    Parameters
    ----------
    a, b : tuple of Path
        Training images of the domains.
    scenes : tuple of Scene
    """

    a: tuple[Path, ...]
    b: tuple[Path, ...]
    scenes: tuple[Scene, ...]

    def share(self, share: float) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """The first images of either domain, that share of them rounded up."""
        few = [side[: ceil(share * len(side))] for side in (self.a, self.b)]
        return few[0], few[1]

    @property
    def digest(self) -> str:
        """What tells it from other data, whatever the folder."""
        scenes = [
            (scene.name, [_digest(path) for path in (scene.source, scene.truth, scene.labels)])
            for scene in self.scenes
        ]
        return digest_of([[_digest(path) for path in (*self.a, *self.b)], scenes])


def find_data(folder: Path, study: Study) -> DataSet:
    """The data in a folder.

    Parameters
    ----------
    folder : Path
        Holds ``train/A``, ``train/B`` and ``test/A``, and what there is of
        ``test/B`` and of the study's labels: stores of the same names.
    study : Study
        Whose data they are.

    Raises
    ------
    InputError
        If there are no images, or pixels shall be compared and the truth is missing.
    """
    labels = study.cells.labels if study.cells else None
    found = {name: stores(folder / name) for name in ("train/A", "train/B", "test/A")}
    for name, paths in found.items():
        if not paths:
            raise InputError(
                f"{folder} has no stores in {name}: lay it out as stable-tiles simulate does"
            )
    scenes = tuple(
        Scene(
            path,
            _same_name(folder / "test/B", path),
            _same_name(folder / "test" / labels, path) if labels else None,
        )
        for path in found["test/A"]
    )
    bare = [scene.name for scene in scenes if scene.truth is None]
    if bare and study.cells is None:
        raise InputError(f"{folder} has no test/B/{bare[0]}: pixels are compared with the truth")
    return DataSet(found["train/A"], found["train/B"], scenes)


def stores(folder: Path) -> tuple[Path, ...]:
    """The stores of a folder by name; none where there is no folder."""
    return tuple(sorted(folder.glob("*.zarr")))


def described(scenes: Sequence[Scene], study: Study) -> str:
    """What translations are compared with, in words."""
    if study.cells is None:
        return "pixels of the true images"
    image = "the true images" if all(s.truth for s in scenes) else "the inputs"
    known = all(scene.labels for scene in scenes)
    cells = f"cells of test/{study.cells.labels}" if known else "cells found by segmentation"
    return f"{cells}, in {image}"


def _same_name(folder: Path, path: Path) -> Path | None:
    other = folder / path.name
    return other if other.is_dir() else None


def _digest(path: Path | None) -> str | None:
    return None if path is None else open_image(path).digest()
