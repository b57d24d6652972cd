"""stable-tiles train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.train.run import TrainReport


@click.command()
@click.argument("config")
@click.option("--source", "sources", multiple=True, required=True, help="Store of domain A.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="Store of domain B; method support, the denoiser, needs none.",
)
@click.option("--out", required=True, help="Folder of the run.")
@click.option(
    "--method",
    help="Method instead of the config's: stable, cyclegan, utom, munit, santa, cut or support.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting instead of the config's, such as training.steps=2000.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes a GPU where there is one.",
)
@click.option(
    "--gpus",
    type=click.IntRange(0),
    help="CUDA GPUs that train together, a process each; 0 computes on the CPU.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that train together on the CPU; they share each step's patches.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "32", "bf16"]),
    help="Precision instead of the config's.",
)
@click.option("--seed", type=click.IntRange(0), help="Seed instead of the config's.")
@click.option("--val-source", "val_sources", multiple=True, help="Held-out store of domain A.")
@click.option("--val-target", "val_targets", multiple=True, help="Held-out store of domain B.")
@click.option(
    "--split",
    is_flag=True,
    help="The stores are pairs: no patch of A shall have its counterpart in B. "
    "One pair is cut into halves with a guard band, several are dealt out to the domains.",
)
@click.option(
    "--skip-bad",
    is_flag=True,
    help="Go on without broken or missing chunks, NaN pixels and unusable stores; "
    "each is logged and counted.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run, or start it.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
@click.option("--dry-run", is_flag=True, help="Check data and config, measure, write nothing.")
@common_options
def train(
    config: str,
    *,
    sources: tuple[str, ...],
    targets: tuple[str, ...],
    out: str,
    method: str | None,
    overrides: tuple[str, ...],
    device: Literal["auto", "cpu", "cuda", "mps"],
    gpus: int | None,
    processes: int,
    precision: str | None,
    seed: int | None,
    val_sources: tuple[str, ...],
    val_targets: tuple[str, ...],
    split: bool,
    skip_bad: bool,
    resume: bool,
    overwrite: bool,
    dry_run: bool,
    console: Console,
) -> None:
    """Train a model that translates images of domain A (source) into domain B (target).

    CONFIG is a YAML file or the name of a shipped config: calcium,
    calcium_robust, dapi, he, mri, penicillium, planaria, smoke, support.
    Patches are streamed from the stores, each given as a path or URL; repeat
    --source and --target for more.  support denoises movies and learns from
    their noisy frames alone: it takes --source only.
    """
    with console.session() as progress:
        from stable_tiles.errors import InputError
        from stable_tiles.settings import load_settings
        from stable_tiles.train.run import TrainOptions
        from stable_tiles.train.run import train as train_model

        if resume and overwrite:
            raise InputError("--resume and --overwrite exclude each other: give one of them")
        if processes > 1 and (gpus or device in {"cuda", "mps"}):
            raise InputError(f"--processes {processes} is for the CPU: on GPUs give --gpus alone")
        shortcuts = {"method": method, "training.precision": precision, "training.seed": seed}
        given = [f"{key}='{value}'" for key, value in shortcuts.items() if value is not None]
        options = TrainOptions(
            device=device if gpus is None else ("cuda" if gpus else "cpu"),
            processes=max(processes, gpus or 1),
            existing="resume" if resume else "overwrite" if overwrite else "refuse",
            dry_run=dry_run,
            split=split,
            val_sources=val_sources,
            val_targets=val_targets,
            skip_bad=skip_bad,
        )
        settings = load_settings(config, [*overrides, *given])
        report = train_model(settings, sources, targets, out, options, progress)
        console.emit(report, _text(report))


def _text(report: TrainReport) -> str:
    """The report for people."""
    reach = ", ".join(
        f"{way}: {'whole image' if pixels is None else f'{pixels} px'}"
        for way, pixels in report.reach.items()
    )
    model = (
        f"{report.method}: {report.parameters / 1e6:.3g} M parameters, reach {reach}, "
        f"stride {report.stride} px; {_where(report)}, precision {report.precision}"
    )
    skipped = f"\nskipped bad blocks and stores: {report.skipped}" if report.skipped else ""
    if report.dry_run:
        return (
            f"{model}\nwould train {report.steps} steps into {report.run}; patches: "
            f"{report.patches_per_second:.0f} a second, each decoded block serves {report.reuse}"
            f"\n{_parts(report)}{skipped}"
        )
    losses = ", ".join(f"{name} {value:.4g}" for name, value in report.losses.items())
    return (
        f"{model}\ntrained {report.steps} steps ({report.steps - report.resumed_from} now, "
        f"{report.steps_per_second:.3g} a second) into {report.run}\nlosses: {losses}{skipped}"
    )


def _where(report: TrainReport) -> str:
    several = f"{report.processes} processes on " if report.processes > 1 else ""
    return f"{several}{report.device}"


def _parts(report: TrainReport) -> str:
    """What of which store each domain is made of, a line each."""
    names = {"a": "A", "b": "B", "validation_a": "validation A", "validation_b": "validation B"}
    lines = [f"split: {report.split['kind']}"]
    for key, name in names.items():
        for part in report.split[key]:
            (y0, y1), (x0, x1), planes = part["y"], part["x"], part["planes"]
            lines.append(
                f"{name}: {part['store']}, y {y0}:{y1}, x {x0}:{x1}, {planes[1]} planes, "
                f"read at level {part['level']}"
            )
    return "\n".join(lines)
