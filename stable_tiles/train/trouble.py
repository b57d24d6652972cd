"""Trouble: what a log shows of a training that goes wrong, said once and plainly.

Verdicts are a function of the log's lines alone.  A resumed run reads its
lines again, so that it says the same at the same steps as one without a
break.  What each finding means and does is in ``docs/training.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DISCRIMINATORS = ("discriminator_a", "discriminator_b")
"""Losses that are a discriminator's; methods of one direction have one."""

LINES = 10
"""Logged lines in a row that a discriminator must show the same fault."""

LOOKS = 3
"""Previews in a row that translations must show the same fault."""

DECIDED = 0.02
"""Loss of a discriminator that tells every patch: 0 is never wrong, 0.5 is a guess."""

GUESS, NEAR = 0.5, 0.005
"""Loss of a discriminator that tells nothing apart, and how near it counts."""

STUCK = 0.01
"""Relative change of the generator's loss below which it learns nothing."""

INVERTED = -0.3
"""Correlation with the input, in the sense that the domains suggest, of an inverted image."""

CONSTANT = 0.02
"""Contrast of a translation, relative to its target domain's, that shows nothing."""

SKEWED = 0.5
"""Skewness beyond which a domain is bright on dark (or, below its negative, dark on bright)."""

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Sign:
    """Whether a line shows a fault, how many in a row are needed, and what to say then."""

    name: str
    wrong: bool
    needed: int
    sentence: str


class Trouble:
    """Reads the lines of a log in order and finds what goes wrong."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._total: float | None = None

    def read(self, line: Line) -> list[str]:
        """A sentence for each fault that has lasted long enough with this line.

        Parameters
        ----------
        line : mapping
            Of ``log.jsonl``: losses, or measures of a preview; others say nothing.
        """
        found = []
        for sign in self._signs(line):
            self._rows[sign.name] = self._rows.get(sign.name, 0) + 1 if sign.wrong else 0
            if self._rows[sign.name] == sign.needed:
                found.append(sign.sentence)
        return found

    def _signs(self, line: Line) -> list[Sign]:
        judges = [float(line[name]) for name in DISCRIMINATORS if name in line]
        if judges:
            before, self._total = self._total, float(line["total"])
            stuck = before is not None and abs(self._total - before) < STUCK * abs(before)
            return _of_losses(judges, stuck)
        previews = line.get("preview", {}).items()
        return [sign for direction, seen in previews for sign in _of_preview(direction, seen)]


def _of_losses(losses: Sequence[float], stuck: bool) -> list[Sign]:
    decided = max(losses) < DECIDED
    guessing = stuck and max(abs(loss - GUESS) for loss in losses) < NEAR
    return [
        Sign(
            "decided",
            decided,
            LINES,
            f"the discriminators have been right about every patch for {LINES} lines of the log "
            f"(loss below {DECIDED}), so the generators learn little from them: lower their "
            "learning rate (for method stable training.discriminator_learning_rate) or the "
            "cycle's weight",
        ),
        Sign(
            "guessing",
            guessing,
            LINES,
            f"the discriminators have told nothing apart for {LINES} lines of the log (loss "
            f"{GUESS}) and the generators stand still: raise their learning rate (for method "
            "stable training.discriminator_learning_rate), or check that the domains differ",
        ),
    ]


def _of_preview(direction: str, seen: Mapping[str, float]) -> list[Sign]:
    skews = seen["skew_input"], seen["skew_target"]
    opposite = min(skews) < -SKEWED and max(skews) > SKEWED
    agreement = -seen["correlation"] if opposite else seen["correlation"]
    return [
        Sign(
            f"inverted {direction}",
            agreement < INVERTED,
            LOOKS,
            f"translations {direction} have looked inverted in {LOOKS} previews in a row "
            f"(correlation with the input {seen['correlation']:.2f}): background and foreground "
            "may have changed places; look at previews/, and try another training.seed if so",
        ),
        Sign(
            f"constant {direction}",
            seen["contrast"] < CONSTANT,
            LOOKS,
            f"translations {direction} have shown next to nothing in {LOOKS} previews in a row "
            f"(contrast {seen['contrast']:.3f} of the target's): lower the learning rate "
            "or raise the cycle's weight",
        ),
    ]
