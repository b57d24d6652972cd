from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from stable_tiles_cli.completion import SHELLS
from stable_tiles_cli.main import main


def completed(words: list[str], begun: str) -> list[str]:
    made = ShellComplete(main, {}, "stable-tiles", "_STABLE_TILES_COMPLETE")
    return [item.value for item in made.get_completions(words, begun)]


def test_commands_options_and_choices_are_completed() -> None:
    assert completed([], "tr") == ["train", "translate"]
    assert "--confidence" in completed(["translate"], "--con")
    assert completed(["completion"], "z") == ["zsh"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_this_program(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0, done.output
    assert "stable-tiles" in done.stdout
    assert f"_STABLE_TILES_COMPLETE={shell}_complete" in done.stdout


def test_bash_completes_what_is_typed(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    program = Path(sys.executable).with_name("stable-tiles")
    if bash is None or not program.exists():
        pytest.skip("no bash, or stable-tiles is not installed beside this Python")
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    typed = "COMP_WORDS=(stable-tiles doc); COMP_CWORD=1; _stable_tiles_completion stable-tiles doc"
    done = subprocess.run(
        [bash, "-c", f'{script}\n{typed} ""; echo "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
    )
    assert done.stdout.split() == ["doctor"]
