"""A page that stands alone: one HTML file with its style and its pictures inside.

Its one script moves the handle of `swipe`; no other may run.

Everything that comes from outside is escaped here; callers hand in plain text.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite, isinf
from string import Template

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'$allowed">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ddd; }
.lead { font-size: 1.05rem; }
.panels { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(13rem, 100%), 1fr)); }
.panels.wide { grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
figure { margin: 0; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption, .note { font-size: .875rem; color: #444; margin-top: .35rem; }
.scroll { overflow-x: auto; margin-bottom: .75rem; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #e3e3e3; text-align: right;
  white-space: nowrap; }
th.t, td.t { text-align: left; }
@media (max-width: 40rem) { th, td { padding: .3rem .4rem; } table { font-size: .8rem; } }
.data td { white-space: normal; overflow-wrap: anywhere; }
.data th, .data td { vertical-align: top; text-align: left; }
.swipe > div { position: relative; width: fit-content; margin: 0 auto; overflow: hidden; }
.swipe .over { position: absolute; inset: 0; width: 100%;
  clip-path: inset(0 calc(100% - var(--at, 50%)) 0 0); }
.swipe .bar { position: absolute; top: 0; bottom: 0; left: var(--at, 50%); width: 2px;
  margin-left: -1px; background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
.swipe .bar::after { content: "\\2194"; position: absolute; top: 50%; left: 1px;
  transform: translate(-50%, -50%); background: #fff; color: #000; border-radius: 1rem;
  padding: 0 .5rem; box-shadow: 0 0 3px #000; }
.swipe input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
  cursor: ew-resize; touch-action: pan-y; }
.swipe input:focus-visible + .bar { outline: 3px solid #0b57d0; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="lead">$lead</p>
$body
</main>$script
</body>
</html>
""")


_MOVE = """
for (const slider of document.querySelectorAll(".swipe input")) {
  const move = () => slider.parentElement.style.setProperty("--at", slider.value + "%");
  slider.addEventListener("input", move);
  move();
}
"""
"""Moves the handles; allowed to run by its hash alone."""


@dataclass(frozen=True)
class Html:
    """Text that is HTML already; everything else is escaped."""

    text: str


def page(title: str, lead: str, sections: Sequence[Html]) -> str:
    """The whole document."""
    body = "\n".join(section.text for section in sections)
    allowed = script = ""
    if '<figure class="swipe">' in body:
        digest = b64encode(hashlib.sha256(_MOVE.encode()).digest()).decode()
        allowed, script = f"; script-src 'sha256-{digest}'", f"\n<script>{_MOVE}</script>"
    return _PAGE.substitute(
        title=escape(title), lead=escape(lead), body=body, allowed=allowed, script=script
    )


def section(title: str, *parts: Html) -> Html:
    """A heading and what stands under it."""
    return Html("\n".join((f"<h2>{escape(title)}</h2>", *(part.text for part in parts))))


def note(text: str) -> Html:
    """A small paragraph."""
    return Html(f'<p class="note">{escape(text)}</p>')


def figure(png: bytes, caption: str) -> Html:
    """A picture, inside the page, with what it shows."""
    data = b64encode(png).decode()
    words = escape(caption)
    return Html(
        f'<figure><img alt="{words}" src="data:image/png;base64,{data}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def swipe(before: bytes, after: bytes, caption: str) -> Html:
    """Two pictures of one size, one over the other, and a handle that says how much of it."""
    under, over = (f"data:image/png;base64,{b64encode(p).decode()}" for p in (after, before))
    words = escape(caption)
    return Html(
        f'<figure class="swipe"><div><img alt="after: {words}" src="{under}">'
        f'<img class="over" alt="before: {words}" src="{over}">'
        f'<input type="range" min="0" max="100" step="0.1" value="50" aria-label="{words}">'
        f'<span class="bar"></span></div><figcaption>{words}</figcaption></figure>'
    )


def panels(figures: Sequence[Html], *, wide: bool = False) -> Html:
    """Figures side by side, as many in a row as the screen has room for."""
    kind = "panels wide" if wide else "panels"
    return Html(f'<div class="{kind}">' + "\n".join(f.text for f in figures) + "</div>")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Numbers in columns; a table wider than the screen scrolls by itself."""
    words = [any(row[i][:1].isalpha() for row in rows) for i in range(len(head))]
    top = _cells("th", head, words)
    lines = "\n".join(f"<tr>{_cells('td', row, words)}</tr>" for row in rows)
    return Html(
        f'<div class="scroll" tabindex="0"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _cells(tag: str, row: Sequence[str], words: Sequence[bool]) -> str:
    """One row; columns that hold words begin at the left, numbers end at the right."""
    return "".join(
        f"<{tag}{' class=t' if left else ''}>{escape(cell)}</{tag}>"
        for cell, left in zip(row, words, strict=True)
    )


def facts(rows: Sequence[tuple[str, str]]) -> Html:
    """Names and what they mean, in two columns that wrap."""
    lines = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return Html(f'<table class="data"><tbody>{lines}</tbody></table>')


def number(value: float) -> str:
    """A number to four digits; what is undefined as a dash."""
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.4g}" if isfinite(value) else "-"
