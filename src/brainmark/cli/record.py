"""``brainmark record``: what a model answers, as a file from which it is scored without the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from brainmark.analysis.output import check_place
from brainmark.cli.selection import select_benchmarks, select_models
from brainmark.cli.terminal import err
from brainmark.core.errors import DataError, UnknownName
from brainmark.core.wording import bytes_text
from brainmark.run.recording import record_answers
from brainmark.run.scoring import Layers


def record(
    model: Annotated[str, typer.Argument(help="A model, as 'brainmark score' takes it.")],
    benchmark: Annotated[
        list[str], typer.Option("--benchmark", "-b", help="Benchmarks by name, pattern or node; may be repeated.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: FILE.nc.")],
    layers: Annotated[
        str, typer.Option(help="committed: the layers of the model; chosen: those of 'brainmark layers'.")
    ] = "committed",
) -> None:
    """Write what a model answers to benchmarks to a file, from which others score it without the model.

    Example: [bold]brainmark record alexnet -b 'Cowley2023.V4-*' -o alexnet.nc[/], then
    [bold]brainmark score --features alexnet.nc -b 'Cowley2023.V4-*'[/]

    The file holds identifiers of stimuli, activations with what is known of their units, answers to questions, and
    what made them. The score is the same to the bit.
    """
    if layers not in get_args(Layers):
        raise UnknownName("layers", layers, get_args(Layers), f" ({' or '.join(get_args(Layers))})")
    check_place(output, "file of answers", (".nc",))
    chosen = select_models([model])
    if len(chosen) != 1:
        raise DataError(f"{model} stands for {len(chosen)} models; a file holds the answers of one")
    names, _ = select_benchmarks(benchmark)
    shapes = record_answers(chosen[0], names, output, layers=cast("Layers", layers))
    told = ", ".join(f"{name} {' × '.join(map(str, shape))}" for name, shape in shapes.items())
    err.print(f"{output}: {told} ({bytes_text(output.stat().st_size)})", soft_wrap=True, markup=False)
