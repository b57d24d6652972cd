from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stable_tiles_cli.main import main

from tests.exchange.models import DOMAINS
from tests.translate.scenes import noise, save_image, save_model


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    save_model(tmp_path / "run", domains=DOMAINS)
    save_image(tmp_path / "a.zarr", noise(2, 1, 1, 150, 160, dtype="uint16"), "tyx")
    return tmp_path


def translate(scene: Path, *more: str) -> Result:
    arguments = ["translate", str(scene / "a.zarr"), str(scene / "b.zarr"), "--tile", "128"]
    arguments += ["--model", str(scene / "run"), "--gpus", "0", "--quiet"]
    return CliRunner().invoke(main, [*arguments, *more])


def test_the_page_stands_alone_and_tells_what_happened(scene: Path) -> None:
    done = translate(scene, "--report", str(scene / "page"), "--confidence")
    assert done.exit_code == 0, done.output
    text = (scene / "page" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?:", text)
    assert str(scene) not in text
    assert text.count('<figure class="swipe">') == 2
    for words in ("Seam index", "clipped", "Confidence", "Intensities", "halo", "forward seconds"):
        assert words in text
    script = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    assert len(script) == 1
    assert f"script-src 'sha256-{b64encode(sha256(script[0].encode()).digest()).decode()}'" in text
    told = json.loads((scene / "page" / "result.json").read_text())
    assert told["output"] == "b.zarr"
    assert told["borders"] > 0
    assert told["seam_index"] > 0


def test_a_part_of_an_image_has_a_page_too(scene: Path) -> None:
    done = translate(scene, "--report", str(scene / "page"), "--region", "10:140,6:150")
    assert done.exit_code == 0, done.output
    text = (scene / "page" / "report.html").read_text(encoding="utf-8")
    assert text.count('<figure class="swipe">') == 1


def test_a_page_that_exists_is_refused_before_work(scene: Path) -> None:
    (scene / "page").mkdir()
    (scene / "page" / "mine.txt").touch()
    assert translate(scene, "--report", str(scene / "page")).exit_code == 2
    assert not (scene / "b.zarr").exists()
