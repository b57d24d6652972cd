from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from stable_tiles_cli import output


def test_a_second_count_of_the_same_name_starts_afresh(capsys: pytest.CaptureFixture[str]) -> None:
    with output.Console().session() as progress:
        for done in range(0, 385, 128):
            progress("regions", done, 384)
        progress("regions", 0, 2)
        progress("regions", 2, 2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("regions: 2/2")
    assert all("-" not in line for line in lines)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("InputError", 2),
        ("StoreNotFound", 2),
        ("WorkFailed", 1),
        ("Interrupted", 130),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    error: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from stable_tiles import errors

    with pytest.raises(SystemExit) as stopped, output.Console().session():
        raise getattr(errors, error)("what is wrong. What to do.\nand more")
    assert stopped.value.code == code
    assert capsys.readouterr().err == "Error: what is wrong. What to do.\n"


@pytest.mark.parametrize(("options", "hint"), [(["--resume"], "with --resume"), ([], "again")])
def test_an_interrupted_command_says_how_to_go_on(options: list[str], hint: str) -> None:
    @click.command(params=[click.Option([name], is_flag=True) for name in options])
    def work(**_: object) -> None:
        with output.Console().session():
            raise KeyboardInterrupt

    result = CliRunner().invoke(work)
    assert result.exit_code == 130
    assert result.stderr.startswith(f"Error: interrupted: run the same command {hint}")


def test_a_warning_is_one_line_unless_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    import warnings

    for quiet in (False, True):
        with output.Console(quiet=quiet).session():
            warnings.warn_explicit("no pixel size", UserWarning, "x", 1, "stable_tiles.convert")
    assert capsys.readouterr().err == "Warning: no pixel size\n"


def test_json_holds_null_where_there_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    output.Console(as_json=True).emit(
        {"r": float("nan"), "rows": [{"x": float("inf"), "n": 1}]}, ""
    )
    assert capsys.readouterr().out == '{"r": null, "rows": [{"x": null, "n": 1}]}\n'
