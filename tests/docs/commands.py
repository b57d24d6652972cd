"""The commands that pages show, as words; and one that serves, looked at until it answered."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "from stable_tiles_cli.main import main; main()")


def blocks(text: str, languages: Sequence[str] = ("bash", "")) -> list[str]:
    """What stands between fences of these languages."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [block for language, block in found if language in languages]


def commands(text: str) -> list[list[str]]:
    """The words behind ``stable-tiles`` of every command of a page, comments left out."""
    lines = re.sub(r"\\\n\s*", "", "\n".join(blocks(text))).splitlines()
    told = [line.strip() for line in lines if line.strip().startswith("stable-tiles ")]
    return [shlex.split(line, comments=True)[1:] for line in told]


def serves(words: Sequence[str]) -> bool:
    """Whether a command shows stores until it is interrupted."""
    return words[0] == "view" and "--export" not in words


def look(words: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run a command that serves, ask it for its stores, interrupt it, and say what it shows."""
    started = [*PROGRAM, *words, "--no-browser", "--port", "0", "--json"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        assert server.stdout is not None
        try:
            address = json.loads(server.stdout.readline())["url"]
            with urlopen(address + "stores.json", timeout=30) as answer:
                shown: dict[str, Any] = json.load(answer)
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0
    return shown
