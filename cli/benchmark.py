"""``stable-tiles benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from stable_tiles.simulate.tasks import TASKS

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.benchmark.verb import BenchmarkReport


@click.command()
@click.argument("task", type=click.Choice(sorted(TASKS)))
@click.option("--out", required=True, help="Folder for everything.")
@click.option(
    "--methods",
    default="stable,cyclegan,utom,munit,santa",
    show_default=True,
    help="Methods of train, with commas; cut is one more.",
)
@click.option(
    "--tuned",
    is_flag=True,
    help="Rivals by settings found for TASK too; the better of the two is shown with the others.",
)
@click.option("--ablation", is_flag=True, help="STABLE's ablations 1 to 4 and variants too.")
@click.option(
    "--sweep",
    "sweeps",
    type=click.Choice(["features", "weights", "data"]),
    multiple=True,
    help="Channels of the feature map, weights of losses, or shares of the training images too.",
)
@click.option(
    "--steps", type=click.IntRange(1), help="Steps of every training.  [default: the config's]"
)
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="Trainings of each."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="The first; also of simulated data.",
)
@click.option("--config", help="Config of all methods: a file or a shipped name.  [default: TASK]")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting instead of the config's, such as santa.path=0.1.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Images laid out as simulate does; simulated by default.",
)
@click.option("--size", default=512, show_default=True, help="Side of simulated images, pixels.")
@click.option("--count", default=8, show_default=True, help="Simulated training images a domain.")
@click.option(
    "--frames",
    type=click.IntRange(1),
    help="Time points of simulated images.  [default: 32 for calcium, else 1]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Trainings at once, a process each; the threads are divided among them.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes a GPU where there is one.",
)
@click.option("--resume", is_flag=True, help="Go on with a finished one: more methods or seeds.")
@click.option("--overwrite", is_flag=True, help="Replace a benchmark of that name.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@common_options
def benchmark(
    task: str,
    *,
    out: str,
    methods: str,
    tuned: bool,
    ablation: bool,
    sweeps: tuple[Literal["features", "weights", "data"], ...],
    steps: int | None,
    seeds: int,
    seed: int,
    config: str | None,
    overrides: tuple[str, ...],
    data: Path | None,
    size: int,
    count: int,
    frames: int | None,
    workers: int,
    device: Literal["auto", "cpu", "cuda", "mps"],
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    console: Console,
) -> None:
    """Train, translate and judge several methods of TASK on the same data.

    OUT/report.html is laid out as the paper's figure of the task, with the paper's numbers beside;
    OUT/results.json holds all figures. An interrupted benchmark goes on with the same command.
    """
    with console.session() as progress:
        from stable_tiles.benchmark.plan import BenchmarkOptions
        from stable_tiles.benchmark.verb import benchmark as run
        from stable_tiles.errors import InputError

        if resume and overwrite:
            raise InputError("--resume and --overwrite exclude each other: give one of them")
        options = BenchmarkOptions(
            methods=tuple(name.strip() for name in methods.split(",") if name.strip()),
            tuned=tuned,
            ablation=ablation,
            sweeps=sweeps,
            steps=steps,
            seeds=seeds,
            seed=seed,
            config=config,
            overrides=overrides,
            data=data,
            size=size,
            count=count,
            frames=frames,
            workers=workers,
            device=device,
            existing="resume" if resume else "overwrite" if overwrite else "refuse",
            dry_run=dry_run,
        )
        report = run(task, out, options, progress)
        console.emit(report, _text(report))


def _text(report: BenchmarkReport) -> str:
    """The report for people."""
    seen = f"{report.steps} steps, {report.images_seen} images of either domain"
    if report.dry_run:
        sizes = f"translations: {report.translated_bytes / 2**20:.1f} MiB of raw pixels"
        if report.simulated_bytes:
            sizes += (
                f"\nsimulated data: {report.simulated_bytes / 2**20:.1f} MiB of raw pixels, "
                f"{report.simulation_memory_bytes / 2**20:.0f} MiB of memory"
            )
        todo = f"would train {report.trainings - report.finished} times"
        if report.finished:
            todo += f" ({report.finished} trainings were done before)"
        return f"{todo}, each {seen}, into {report.output}\n{sizes}"
    done = f"{report.trainings} trainings ({report.finished} were done before), each {seen}"
    lines = [done]
    lines += [
        f"{name}: " + ", ".join(f"{metric} {value:.4g}" for metric, value in values.items())
        for name, values in report.medians.items()
    ]
    lines += list(report.verdicts.values())
    return "\n".join([*lines, f"report: {report.report}\nresults: {report.results}"])
