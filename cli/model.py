"""``stable-tiles model``: what can be done with a model's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Console, common_options

if TYPE_CHECKING:
    from stable_tiles.exchange.verb import ModelExport
    from stable_tiles.model_info import DomainInfo, ModelInfo

_PATH = click.Path(path_type=Path)


@click.group()
def model() -> None:
    """Import the authors' checkpoints, export and describe models."""


@model.command("import")
@click.argument("checkpoint", metavar="OFFICIAL.pth", type=_PATH)
@click.option(
    "--settings", type=_PATH, required=True, help="The settings.json of the same experiment."
)
@click.option("--out", "run", type=_PATH, required=True, metavar="RUN", help="Folder to write.")
@click.option("--overwrite", is_flag=True, help="Replace the model of a run that exists.")
@common_options
def import_(
    checkpoint: Path,
    *,
    settings: Path,
    run: Path,
    overwrite: bool,
    console: Console,
) -> None:
    """Write a checkpoint of the authors' program as a RUN that translate takes.

    The file may hold tensors only: nothing in it is executed. It does not say
    how pixels become network units: images are normalised by their percentiles
    0 and 99, and the output's range is 0..1.
    """
    with console.session():
        from stable_tiles.model_info import describe
        from stable_tiles.official import import_official

        made = import_official(checkpoint, settings, run, overwrite=overwrite)
        found = describe(made, run.name)
        console.emit(found, f"wrote {run}\n{_text(found)}")


@model.command()
@click.argument("run", type=_PATH, metavar="RUN")
@click.argument("output", type=_PATH, metavar="OUT.onnx|OUT.zip")
@click.option(
    "--direction",
    default="a2b",
    show_default=True,
    metavar="a2b|b2a",
    help="From which domain to which.",
)
@click.option(
    "--opset", default=17, show_default=True, metavar="16|17|18", help="Version of the operators."
)
@click.option(
    "--author", "authors", multiple=True, metavar="NAME", help="Of a package; repeatable."
)
@click.option(
    "--license",
    "spdx",
    metavar="SPDX",
    help="Of a package's weights, such as MIT  [default: none is named]",
)
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
@common_options
def export(
    run: Path,
    output: Path,
    *,
    direction: str,
    opset: int,
    authors: tuple[str, ...],
    spdx: str | None,
    overwrite: bool,
    console: Console,
) -> None:
    """Write the translator of RUN as a file that other programs run.

    OUT.onnx takes and gives images of any size in network units; its metadata
    say how pixels become these. OUT.zip is a BioImage.IO package of the same
    network, which takes and gives pixels. The network is compared with the
    model in onnxruntime before the file gets its name.
    """
    with console.session():
        from stable_tiles.exchange.package import About
        from stable_tiles.exchange.verb import export_model

        made = export_model(
            run,
            output,
            direction=direction,
            opset=opset,
            overwrite=overwrite,
            about=About(authors, spdx),
        )
        console.emit(made, _exported(made))


@model.command()
@click.argument("run", type=_PATH, metavar="RUN")
@common_options
def info(run: Path, *, console: Console) -> None:
    """Describe the model of RUN: architecture, domains, reach, size, what made it."""
    with console.session():
        from stable_tiles.model_info import model_info

        found = model_info(run)
        console.emit(found, _text(found))


def _exported(made: ModelExport) -> str:
    checked = (
        "not compared with the model: pip install 'stable-tiles[onnx]'"
        if made.max_abs_difference is None
        else f"differs from the model by up to {made.max_abs_difference:.1g}"
    )
    return (
        f"wrote {made.output}: {made.format}, {made.direction}, opset {made.opset}, "
        f"{made.bytes_out / 2**20:.1f} MiB\n{checked}"
    )


def _text(found: ModelInfo) -> str:
    network = ", ".join(f"{name} {value}" for name, value in found.network.items())
    lines = [f"network: {network}", f"stride: {found.stride} px"]
    for way, reach in found.reach.items():
        far = "no limit" if reach is None else f"{reach} px"
        lines.append(f"{way}: reach {far}, {found.parameters[way] / 1e6:.3f} M parameters")
    lines += [f"domain {name}: {_domain(domain)}" for name, domain in found.domains.items()]
    lines.append(f"digest: {found.digest}")
    lines += [f"{name}: {value}" for name, value in found.provenance.items()]
    return "\n".join(lines)


def _domain(domain: DomainInfo) -> str:
    values = ", ".join(
        f"{low:g}..{high:g}" for low, high in zip(domain.low, domain.high, strict=True)
    )
    asked = domain.normalization
    bounds = [f"{asked[name]:g}" for name in ("low", "high") if asked[name] is not None]
    how = " ".join([asked["kind"], *bounds, f"per {asked['per']}"])
    size = f", {domain.pixel_size_um:g} um a pixel" if domain.pixel_size_um else ""
    return (
        f"{domain.channels} channels ({', '.join(domain.names)}), {domain.dtype}, "
        f"intensities {values}, normalised by {how}{size}"
    )
