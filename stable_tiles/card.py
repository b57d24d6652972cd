"""The model card: what a model is for, what it was made from, and where it ends, from facts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_tiles.model import Model
from stable_tiles.model_info import DomainInfo, ModelInfo, describe

CARD = "model-card.md"


@dataclass(frozen=True)
class _Words:
    """What is said of all models of one kind."""

    use: str
    limits: str
    validation: str
    data: str


_USE = """\
Translating images of domain A as images of domain B, where both show the same kind of specimen
and content, taken as the training images were: same pixel size, same staining, same exposure.
The translation is a prediction for looking at, and for measurements that were validated on
images of both modalities. It is not a diagnostic device."""

_LIMITS = """\
As in the paper of the method, "Limitations of the study":

- The network adds no information that the input does not hold: a translation is inferred from
  what both modalities share in the training images.
- Where the input is ambiguous or incomplete, such as at imaging artefacts, structures can be
  false: the paper shows nuclei invented in DAPI from ambiguous structures in DIC.
- Intensities can differ where images differ from those of the training (domain shift).
- Fewer training images, and so less shared information, made translations worse.
- So it must be validated for each task before anything is concluded from it: preservation of
  features, consistency over data sets, absence of artefacts, a ground truth where possible, and
  the eye of an expert. None of this was done by writing this card."""

_VALIDATION = """\
Translate images of which both modalities were taken, then compare:
`stable-tiles evaluate images TRANSLATED.zarr TRUTH.zarr` (pixels), and
`stable-tiles evaluate rois INPUT.zarr TRANSLATED.zarr` (cells that are lost or invented).
Without a truth, `stable-tiles translate --confidence` writes where translation and translation
back disagree."""

_TRANSLATOR = _Words(_USE, _LIMITS, _VALIDATION, "Patches of these stores; nothing was paired.")

_DENOISER = _Words(
    use="""\
Denoising movies that were taken as the training movies were: same microscope, same exposure,
same frame rate, same labelling. For looking at, for finding cells, and for measurements that
were validated on such movies. It is not a diagnostic device.""",
    limits="""\
- Noise that neighbouring pixels or frames share is not removed: it can be predicted like signal.
- An event of a single frame loses height, and part of it appears in the frames beside: measure
  such events on the raw movie.
- Movies that move are not registered by it.
- Where movies differ from those of the training, so can what is taken for signal.
- So it must be validated before anything is concluded from it. None of this was done by writing
  this card.""",
    validation="""\
Compare traces of cells before and after: `stable-tiles evaluate traces MOVIE.zarr CELLS.zarr
OUT.csv`, and look at single frames of events that you know.""",
    data="Patches of these movies; no clean movie was seen.",
)


def model_card(model: Model, name: str) -> str:
    """The card of a model as Markdown, from its document alone.

    Parameters
    ----------
    model : Model
        The model.
    name : str
        What its folder is called.

    Returns
    -------
    str
        Ends with a line break; holds no folder names.
    """
    found = describe(model, name)
    frames = model.settings.frames_read
    words = _DENOISER if frames > 1 else _TRANSLATOR
    sections = [
        f"# {name}",
        _summary(found, frames),
        "## Intended use\n\n" + words.use,
        "## Limits\n\n" + words.limits,
        "## Validation\n\n" + words.validation,
        "## Data\n\n" + _data(found.provenance, words.data),
        "## Intensities\n\n" + "\n".join(_domain(k, d) for k, d in found.domains.items()),
        "## Network\n\n" + _network(found),
    ]
    return "\n\n".join(sections) + "\n"


def write_card(model: Model, folder: Path) -> None:
    """Write the card of a model beside its files; appears whole."""
    partial = folder / f"{CARD}.partial"
    partial.write_text(model_card(model, folder.resolve().name), encoding="utf-8")
    os.replace(partial, folder / CARD)


def _summary(found: ModelInfo, frames: int) -> str:
    ways = " and ".join(found.reach)
    names = {key: ", ".join(domain.names) for key, domain in found.domains.items()}
    steps = found.provenance.get("steps")
    trained = f", trained for {steps} steps" if steps is not None else ""
    if frames > 1:
        return (
            f"A denoiser of movies ({names['a']}), which makes each frame from {frames} frames "
            f"around it{trained}. Digest `{found.digest}`."
        )
    return (
        f"A model of unpaired image-to-image translation ({ways}) between A ({names['a']}) and "
        f"B ({names['b']}){trained}. Digest `{found.digest}`."
    )


def _data(provenance: Mapping[str, Any], how: str) -> str:
    """The stores it was trained on."""
    rows = [
        f"- {side}: `{store['name']}`, digest `{store['digest']}`"
        for side in ("sources", "targets")
        for store in provenance.get(side, ())
    ]
    if not rows:
        made = provenance.get("made_by")
        return f"Not recorded; made by {made}." if made else "Not recorded."
    return "\n".join([how, "", *rows])


def _domain(key: str, domain: DomainInfo) -> str:
    asked = domain.normalization
    how = {
        "percentile": f"percentiles {asked['low']} and {asked['high']} of an image become 0 and 1",
        "range": "fixed values become 0 and 1",
        "none": "pixels are taken as they are",
    }[asked["kind"]]
    per = "each channel by itself" if asked["per"] == "channel" else "all channels together"
    low, high = (", ".join(f"{value:g}" for value in bound) for bound in (domain.low, domain.high))
    size = f"; {domain.pixel_size_um:g} um a pixel" if domain.pixel_size_um else ""
    return (
        f"- {key.upper()}: {domain.channels} channels ({', '.join(domain.names)}), {domain.dtype}; "
        f"{how}, {per}; in training {low} to {high}{size}"
    )


def _network(found: ModelInfo) -> str:
    rows = [f"- {name}: {value}" for name, value in found.network.items()]
    for way, reach in found.reach.items():
        far = "the whole image" if reach is None else f"{reach} px around it"
        rows.append(
            f"- {way}: {found.parameters[way] / 1e6:.3f} M parameters; a pixel depends on {far}"
        )
    rows.append(f"- stride: {found.stride} px")
    versions = found.provenance.get("versions", {})
    rows += [f"- {package} {version}" for package, version in versions.items()]
    return "\n".join(rows)
