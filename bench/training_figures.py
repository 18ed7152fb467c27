"""What does training do? The shipped network against its untrained twins, as a table of the documentation.

python bench/training_figures.py FILE [--benchmarks NAME ...]

The last column is the difference of scores under the same draws of stimuli and units: it is known better than either.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import brainmark
from brainmark.core.score import Score, interval_of

TRAINED, TWINS, CONTROL = "cifar-resnet", ("cifar-resnet:random", "cifar-resnet:random=1"), "pixels"
BENCHMARKS = (
    "Cowley2023.V4-ridge",
    "Cowley2023.V4-pls",
    "CIFAR10H-soft_labels",
    "CIFAR10H-entropy",
    "CIFAR10H-error_patterns",
    "Kriegeskorte2008.monkeyIT-rdm",
    "Kriegeskorte2008.humanIT-rdm",
)


def show(value: float, interval: tuple[float, float] | None) -> str:
    """A figure with its 95 % interval."""
    return f"{value:.2f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def subtract(one: Score, other: Score) -> str:
    """The difference of two scores, with an interval from paired draws."""
    difference = one.value - other.value
    if one.draws is None or other.draws is None:
        return show(difference, None)
    count = min(len(one.draws), len(other.draws))
    return show(difference, interval_of(np.subtract(one.draws[:count], other.draws[:count]), difference))


def row(benchmark: str) -> str:
    """One line of the table."""
    trained, *twins = (brainmark.score(name, benchmark) for name in (TRAINED, *TWINS))
    control = trained.controls.get(CONTROL)
    cells = [f"`{benchmark}`", *(show(s.value, s.interval) for s in (trained, *twins))]
    cells += [show(control.value, None) if control else "", " and ".join(subtract(trained, twin) for twin in twins)]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="where the table goes")
    parser.add_argument("--benchmarks", nargs="*", default=BENCHMARKS, metavar="NAME")
    options = parser.parse_args()
    names = [f"`{name}`" for name in (TRAINED, *TWINS)]
    head = ["benchmark", *names, CONTROL, "trained less untrained, paired"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for benchmark in options.benchmarks:
        lines.append(row(benchmark))
        print(lines[-1], flush=True)
    options.file.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
