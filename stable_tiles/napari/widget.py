"""Widget: choose a layer and a run, look at a part, translate all of it beside one's work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    Label,
    ProgressBar,
    PushButton,
    SpinBox,
)
from napari.layers import Image
from qtpy.QtCore import QTimer

from stable_tiles.errors import InputError, StableTilesError, first_line
from stable_tiles.napari.background import Background
from stable_tiles.napari.layers import LayerData
from stable_tiles.napari.work import in_sight, preview_layer, translate_layer
from stable_tiles.progress import Progress
from stable_tiles.translate.find import find_run
from stable_tiles.translate.options import TranslateOptions

_BEAT_MS = 100
"""How often the widget looks at work that goes on, milliseconds."""

_DIRECTIONS = (("A to B", "a2b"), ("B to A", "b2a"))


class TranslateWidget(Container):  # type: ignore[misc]  # magicgui is optional, so unknown here
    """The controls; `translate`, `preview` and `cancel` are what its buttons do.

    Parameters
    ----------
    napari_viewer : napari.Viewer or napari.components.ViewerModel
        Whose layers are offered, and where results appear.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self._job: Background[list[LayerData]] | None = None
        self.layer = ComboBox(label="Layer", choices=self._images)
        self.run = FileEdit(label="Run", mode="d", tooltip="Folder that train has written")
        self.direction = ComboBox(label="Direction", choices=_DIRECTIONS)
        self.output = FileEdit(
            label="Output",
            mode="w",
            filter="*.zarr",
            nullable=True,
            value=None,
            tooltip="Empty: NAME.translated.zarr beside the layer's store",
        )
        self.confidence = CheckBox(text="With its confidence")
        self.replace = CheckBox(text="Replace an output of that name")
        self.side = SpinBox(label="Preview, px", value=512, min=16, max=8192, step=64)
        self.preview_button = PushButton(text="Preview what is in sight")
        self.start_button = PushButton(text="Translate")
        self.cancel_button = PushButton(text="Cancel", enabled=False)
        self.bar = ProgressBar(visible=True, value=0, min=0, max=1)
        self.status = Label(value="")
        super().__init__(
            widgets=[
                self.layer,
                self.run,
                self.direction,
                self.output,
                self.confidence,
                self.replace,
                self.side,
                self.preview_button,
                self.start_button,
                self.cancel_button,
                self.bar,
                self.status,
            ]
        )
        self.status.native.setWordWrap(True)
        self._follow_layers()
        self._begin_with_the_only_run()
        self.preview_button.clicked.connect(self.preview)
        self.start_button.clicked.connect(self.translate)
        self.cancel_button.clicked.connect(self.cancel)
        # Of the widget in Qt's eyes too, so that it ends with it.
        self._timer = QTimer(self.native)
        self._timer.timeout.connect(self.look)

    @property
    def busy(self) -> bool:
        """Whether work goes on, or its result has not been shown yet."""
        return self._job is not None

    def translate(self) -> None:
        """Translate the layer in the background; layers appear when it is whole."""
        target = self.output.value
        self._start(
            lambda layer, options: (
                lambda progress: translate_layer(
                    layer, Path(target) if target else None, options, progress
                )
            )
        )

    def preview(self) -> None:
        """Translate what is in the middle of the view, and show it where it lies."""
        shown = self._viewer.dims.displayed
        place = list(self._viewer.dims.point)
        for axis, at in zip(shown[-2:], self._viewer.scene.camera.center[-2:], strict=True):
            place[axis] = at
        side = int(self.side.value)

        def begin(layer: Any, options: TranslateOptions) -> Callable[[Progress], list[LayerData]]:
            select = in_sight(layer, place, side)
            return lambda progress: preview_layer(layer, select, options, progress)

        self._start(begin)

    def cancel(self) -> None:
        """Stop at the next region; what is done of a translation is kept for the next time."""
        if self._job is not None:
            self.status.value = "stopping at the next region"
            self._job.cancel()

    def look(self) -> None:
        """Show how far the work is, and what came of it once it has ended."""
        job = self._job
        if job is None:
            return
        what, done, total = job.progress
        if total:
            self.bar.max, self.bar.value = total, done
            self.bar.label = what
        if job.running:
            return
        self._job = None
        self._timer.stop()
        self._enable(busy=False)
        self.status.value = job.error or "done"
        for data, arguments, _ in job.result or ():
            self._viewer.add_image(data, **arguments)

    def _start(
        self, begin: Callable[[Any, TranslateOptions], Callable[[Progress], list[LayerData]]]
    ) -> None:
        """Begin work with what is chosen, or say what is wrong with it."""
        try:
            if self.layer.value is None:
                raise InputError("no image to translate: open one, such as a store that ends .zarr")
            work = begin(self.layer.value, self._options())
        except StableTilesError as error:
            self.status.value = first_line(error)
            return
        self.bar.value, self.status.value = 0, "working"
        self._enable(busy=True)
        self._job = Background(work)
        self._timer.start(_BEAT_MS)

    def _options(self) -> TranslateOptions:
        chosen = str(self.run.value)
        run = find_run(None if chosen in {"", "."} else Path(chosen), os.environ, Path.cwd())
        return TranslateOptions(
            model=run,
            direction=self.direction.value,
            confidence=self.confidence.value,
            overwrite=self.replace.value,
        )

    def _enable(self, *, busy: bool) -> None:
        self.start_button.enabled = self.preview_button.enabled = not busy
        self.cancel_button.enabled = busy

    def _images(self, _: Any) -> list[tuple[str, Any]]:
        return [(layer.name, layer) for layer in self._viewer.layers if isinstance(layer, Image)]

    def _follow_layers(self) -> None:
        """Offer the images that there are; napari forgets a widget that is gone."""
        events = self._viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            event.connect(self._offer)

    def _offer(self) -> None:
        self.layer.reset_choices()

    def _begin_with_the_only_run(self) -> None:
        """Show the run that the command would take; nothing where it would ask."""
        try:
            self.run.value = find_run(None, os.environ, Path.cwd())
        except StableTilesError:
            return
