"""What every command shares: errors as one line, progress on stderr, results on stdout."""

from __future__ import annotations

import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

import click

from stable_tiles.document import document
from stable_tiles.errors import InputError, Interrupted, StableTilesError, first_line
from stable_tiles.progress import Progress, silent

Function = TypeVar("Function", bound=Callable[..., Any])

LINE_EVERY_S = 20.0
"""Seconds between progress lines where there is no terminal."""

_BAR_EVERY_S = 0.1


def common_options(function: Function) -> Function:
    """``--json``, ``--quiet``, ``--verbose`` and ``--debug``: the command's `console`."""

    @wraps(function)
    def told(
        *given: Any, as_json: bool, quiet: bool, verbose: bool, debug: bool, **named: Any
    ) -> Any:
        return function(*given, console=Console(as_json, quiet, verbose, debug), **named)

    options = (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option("--quiet", is_flag=True, help="No progress and no warnings."),
        click.option("--verbose", is_flag=True, help="Log lines on stderr."),
        click.option("--debug", is_flag=True, help="Tracebacks of errors."),
    )
    command: Any = told
    for option in reversed(options):
        command = option(command)
    return cast(Function, command)


def model_options(function: Function) -> Function:
    """``--model``, ``--direction`` and ``--device`` on a command that runs a model."""
    direction = click.option(
        "--direction",
        default="a2b",
        show_default=True,
        metavar="a2b|b2a",
        help="From which domain to which.",
    )
    return run_options(direction(function))


def run_options(function: Function) -> Function:
    """``--model`` and ``--device``."""
    options = (
        click.option(
            "--model",
            type=click.Path(path_type=Path),
            metavar="RUN",
            help="The trained run  [default: $STABLE_TILES_MODEL, else the one run under ./runs]",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            metavar="auto|cpu|cuda|mps",
            help="Where to compute; auto takes a GPU where there is one.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True)
class Console:
    """How a command speaks: progress and errors on stderr, its result on stdout.

    Parameters
    ----------
    as_json : bool
        The result as one JSON document.
    quiet : bool
        Neither progress nor warnings.
    verbose : bool
        Log lines too.
    debug : bool
        Tracebacks in place of one line.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False

    @contextmanager
    def session(self) -> Iterator[Progress]:
        """Run the command's work: errors as one line, exit codes as documented.

        Yields
        ------
        Progress
            To be handed to the library call.
        """
        show = silent if self.quiet else _Meter().show
        _log(self.verbose)
        with warnings.catch_warnings():
            warnings.simplefilter("default" if self.verbose else "ignore")
            warnings.filterwarnings(
                "ignore" if self.quiet else "always", category=UserWarning, module="stable_tiles"
            )
            warnings.showwarning = _print_warning
            with _signals(), _one_line_errors(self.debug):
                yield show

    def emit(self, result: Any, text: str) -> None:
        """Print a result: `text`, or the result as the one JSON document (NaN as null)."""
        click.echo(document(result) if self.as_json else text)


@contextmanager
def _one_line_errors(debug: bool) -> Iterator[None]:
    try:
        yield
    except (StableTilesError, KeyboardInterrupt, MemoryError, OSError) as error:
        if debug:
            raise
        click.echo(f"Error: {_line(error)}", err=True)
        sys.exit(_exit_code(error))


def _line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        context = click.get_current_context()
        resumes = any(parameter.name == "resume" for parameter in context.command.params)
        again = "with --resume to go on" if resumes else "again"
        return f"interrupted: run the same command {again}"
    return first_line(error)


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return 130
    return 2 if isinstance(error, InputError) else 1


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM stops work the way SIGINT does."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    click.echo(f"Warning: {first_line(Warning(str(message)))}", err=True)


def _log(verbose: bool) -> None:
    import logging

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, stream=sys.stderr)
    if not verbose:
        # What tifffile logs of a damaged file reaches the user as one line of ours.
        logging.getLogger("tifffile").setLevel(logging.CRITICAL)


@dataclass
class _Count:
    """One thing that is counted: since when, from where, and of how many."""

    since: float
    first: int
    total: int

    def rate(self, now: float, done: int) -> float:
        """Done a second, so far."""
        return (done - self.first) / (now - self.since) if now > self.since else 0.0


class _Meter:
    """Rate, done and time left: a live bar on a terminal, elsewhere a line now and then."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._counts: dict[str, _Count] = {}
        self._shown = 0.0

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        count = self._counts.get(what)
        if count is None or count.total != total or done < count.first:
            count = self._counts[what] = _Count(now, done, total)
        finished = done >= total
        if not finished and now - self._shown < (_BAR_EVERY_S if self._live else LINE_EVERY_S):
            return
        self._shown = now
        rate = count.rate(now, done)
        left = f", {_clock((total - done) / rate)} left" if rate > 0 and not finished else ""
        line = f"{what}: {done}/{total}" + (f" ({rate:.3g}/s{left})" if rate > 0 else "")
        if not self._live:
            click.echo(line, err=True)
            return
        filled = round(30 * done / max(1, total))
        bar = "#" * filled + "-" * (30 - filled)
        click.echo(f"\r\x1b[K[{bar}] {line}", err=True, nl=finished)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
