from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from stable_tiles.errors import InputError, OutputExists
from stable_tiles.evaluate.page import figure, note, page, section, table
from stable_tiles.evaluate.report import Target
from tests.evaluate.test_cells import discs
from tests.evaluate.test_traces import movies
from tests.image.stores import write_store

HOSTILE = "<script>alert('$x_1$')</script> & \"q\""
LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "cite"}


class Reader(HTMLParser):
    """Collects what a browser would fetch, and every tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in LOADING]


def evaluate(*words: object) -> Result:
    done = CliRunner().invoke(main, ["evaluate", *map(str, words), "--quiet"])
    assert done.exit_code == 0, done.output
    return done


def check_alone(report: Path, private: Path) -> str:
    """The page asks for nothing, runs nothing and says nothing of where it was made."""
    text = (report / "report.html").read_text(encoding="utf-8")
    read = Reader(text)
    assert read.fetched
    assert all(value.startswith("data:image/png;base64,") for value in read.fetched)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(read.tags)
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text
    assert 'name="viewport"' in text
    assert str(private) not in text
    assert str(private) not in (report / "result.json").read_text()
    assert {path.name for path in report.iterdir()} == {"report.html", "result.json"}
    assert not report.with_name(report.name + ".partial").exists()
    return text


def test_the_report_of_a_movie_stands_alone(tmp_path: Path) -> None:
    movies(tmp_path)
    printed = evaluate(
        *("rois", tmp_path / "a.zarr", tmp_path / "b.zarr", "--diameter", 12, "--json"),
        *("--labels-input", tmp_path / "la.zarr", "--report", tmp_path / "report"),
        *("--baseline-window", 9),
    ).stdout
    text = check_alone(tmp_path / "report", tmp_path)
    assert json.loads((tmp_path / "report" / "result.json").read_text()) == json.loads(printed)
    for words in ("a.zarr", "la.zarr", "PCC of dF/F0", "versions", "digest", "95 % CI"):
        assert words in text


def test_the_report_of_images_stands_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 255, (3, 2, 150, 140)).astype(np.uint8)
    a = write_store(tmp_path / "a.zarr", truth // 2, "czyx").path
    b = write_store(tmp_path / "b.zarr", truth, "czyx").path
    evaluate("images", a, b, "--report", tmp_path / "report")
    text = check_alone(tmp_path / "report", tmp_path)
    for words in ("RMSE", "PSNR, dB", "Channel", "data range", "normalize"):
        assert words in text


def test_the_report_of_a_comparison_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    files: list[str] = []
    for name in (HOSTILE, "b"):
        values = {"values": list(np.random.default_rng(len(name)).normal(size=9))}
        path = tmp_path / f"{len(files)}.json"
        path.write_text(json.dumps({"metrics": {HOSTILE: values}}))
        files.append(f"{name}={path}")
    evaluate("compare", *files, "--report", tmp_path / "report")
    text = check_alone(tmp_path / "report", tmp_path)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_images_without_cells_have_a_report(tmp_path: Path) -> None:
    path = write_store(tmp_path / "a.zarr", discs()).path
    evaluate("rois", path, path, "--labels-input", path, "--report", tmp_path / "report")
    check_alone(tmp_path / "report", tmp_path)


def test_every_part_of_a_page_is_escaped() -> None:
    text = page(
        HOSTILE,
        HOSTILE,
        [section(HOSTILE, note(HOSTILE), table((HOSTILE,), [(HOSTILE,)]), figure(b"", HOSTILE))],
    )
    assert "<script" not in text
    assert "script" not in Reader(text).tags


def test_a_report_that_exists_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    Target(folder).write("one", {"n": 1})
    with pytest.raises(OutputExists, match="--overwrite"):
        Target(folder)
    Target(folder, overwrite=True).write("two", {"n": float("nan")})
    assert (folder / "report.html").read_text() == "two"
    assert json.loads((folder / "result.json").read_text()) == {"n": None}
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "one.jpg").touch()
    with pytest.raises(InputError, match="no report"):
        Target(tmp_path / "photographs", overwrite=True)


def test_a_report_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    words = ["evaluate", "images", "none.zarr", "none.zarr", "--report", str(tmp_path / "report")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "--overwrite" in done.stderr


def test_a_translation_in_colour_is_shown_in_colour(tmp_path: Path) -> None:
    labels = discs((20, 20), (20, 60), (70, 100))
    write_store(tmp_path / "l.zarr", labels)
    colour = np.stack(
        [255 - 200 * (labels > 0), 200 - 150 * (labels > 0), np.full_like(labels, 220)]
    )
    fluorescence = write_store(tmp_path / "a.zarr", (labels > 0).astype(np.uint16) * 900)
    stained = write_store(tmp_path / "b.zarr", colour.astype(np.uint8), "cyx")
    evaluate(
        *("rois", fluorescence.path, stained.path, "--report", tmp_path / "report"),
        *("--labels-input", tmp_path / "l.zarr", "--labels-output", tmp_path / "l.zarr"),
    )
    check_alone(tmp_path / "report", tmp_path)
