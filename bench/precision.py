"""What bfloat16 changes: scores of small networks in both precisions, and the time that each took.

python bench/precision.py [--models NAME ...] [--markdown FILE]

Controls are left out, which are computed in the same way; the difference is shown beside the 95 % interval of the
score, which says how far chance alone would move it.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import brainmark
from brainmark.core.errors import BrainmarkError, tell
from brainmark.core.score import Score

VISION = ("cifar-resnet", "alexnet:random", "squeezenet1_1:random", "resnet-18:random")
LANGUAGE = ("tiny-gpt",)
BENCHMARKS = {
    VISION: ("Kriegeskorte2008.monkeyIT-rdm", "Kriegeskorte2008.humanIT-rdm", "Simulated.IT-ridge"),
    LANGUAGE: ("Futrell2018-correlation", "Brennan2016.LATL-ridge"),
}


@dataclass(frozen=True)
class Pair:
    """A model on a benchmark in both precisions."""

    single: Score
    half: Score

    def row(self) -> str:
        low, high = self.single.interval or (float("nan"),) * 2
        seconds = [one.stamp.seconds for one in (self.single, self.half) if one.stamp]
        return (
            f"| {self.single.subject} | {self.single.benchmark} | {self.single.value:.4f} | "
            f"{low:.3f} to {high:.3f} | {self.half.value - self.single.value:+.4f} | "
            f"{seconds[0]:.1f} s | {seconds[1]:.1f} s |"
        )


def measure(models: tuple[str, ...]) -> Iterator[Pair]:
    for names, benchmarks in BENCHMARKS.items():
        for benchmark in benchmarks:
            for model in (name for name in names if not models or name in models):
                bare = replace(brainmark.load_benchmark(benchmark), controls=())
                try:
                    single, half = (
                        brainmark.score(model, bare, cache=False, precision=p) for p in ("float32", "bfloat16")
                    )
                    yield Pair(single, half)
                except BrainmarkError as error:
                    print(f"{model} on {benchmark}: {tell(error)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=())
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    head = "| model | benchmark | float32 | 95 % interval | bfloat16 − float32 | time, float32 | time, bfloat16 |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- |"]
    print("\n".join(lines))
    for pair in measure(tuple(given.models)):
        lines.append(pair.row())
        print(lines[-1], flush=True)
    if given.markdown:
        given.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
