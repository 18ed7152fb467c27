"""How old are the figures in the documentation? Which command makes them anew?

python bench/figures.py                  say it, and write it into the pages
python bench/figures.py make NAME ...    run the commands of these figures, then note what they rest on

What figures rest on is declared: versions of models, benchmarks and metrics (`brainmark.run.declared`), and the script
that makes them. It is kept in `docs/figures.json` when they are made. A page says how old its figures are in the line
below its mark; a test fails where the line is no longer true, and the first command above mends it.
"""

from __future__ import annotations

import argparse
import datetime
import fnmatch
import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import brainmark
from brainmark.core import registry
from brainmark.core.versions import SCORING
from brainmark.run.declared import declare, declare_benchmark, declare_model, digest_declared

ROOT = Path(__file__).parents[1]
STAMPS = ROOT / "docs" / "figures.json"
REFERENCE = "docs/reference"
State = dict[str, str]


@dataclass(frozen=True)
class Figures:
    """The figures of one page.

    Attributes
    ----------
    page : that shows them, with the mark.
    commands : that write them; run in the root of the checkout.
    rests_on : returns the present state of all that they rest on, by name.
    """

    page: str
    commands: tuple[str, ...]
    rests_on: Callable[[], State]


def models(*patterns: str) -> State:
    """State of models; names without a star need not be listed (`alexnet:random`)."""
    found = {name: registry.models[name] for name in _expand(registry.models, patterns)}
    return {f"model {name}": digest_declared(declare_model(entry)) or "" for name, entry in found.items()}


def benchmarks(*patterns: str) -> State:
    found = {name: registry.benchmarks[name] for name in _expand(registry.benchmarks, patterns)}
    return {f"benchmark {name}": digest_declared(declare_benchmark(entry)) or "" for name, entry in found.items()}


def metrics(*patterns: str) -> State:
    found = {name: registry.metrics[name] for name in _expand(registry.metrics, patterns)}
    return {"scoring": str(SCORING)} | {
        f"metric {name}": digest_declared(declare(entry)) or "" for name, entry in found.items()
    }


def code(*patterns: str) -> State:
    """State of scripts."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return {f"file {path.relative_to(ROOT)}": hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def release() -> State:
    """What is measured in seconds holds for a release."""
    return {"brainmark": brainmark.__version__}


def _expand(known: Iterable[str], patterns: Iterable[str]) -> list[str]:
    names = list(known)
    return [n for p in patterns for n in (fnmatch.filter(names, p) if "*" in p else [p])]


SHOWN = (
    "pixels gabor hmax sparse-coding voneblock cifar-resnet cifar-resnet:random alexnet:random vonealexnet:random"
    " CORnet-Z:random"
)
TRAINED = (
    "Cowley2023.V4-ridge Cowley2023.V4-pls CIFAR10H-soft_labels CIFAR10H-entropy CIFAR10H-error_patterns"
    " Kriegeskorte2008.monkeyIT-rdm Kriegeskorte2008.humanIT-rdm"
)


def _scored() -> State:
    """State of the benchmarks that the table of results has."""
    places = pd.read_csv(ROOT / REFERENCE / "results.csv", usecols=["place"], dtype=str)["place"].unique()
    return benchmarks(*(place for place in places if place in registry.benchmarks))


FIGURES: dict[str, Figures] = {
    "results": Figures(
        f"{REFERENCE}/results.md",
        tuple(
            f"brainmark score {SHOWN} -b average_vision --finished --table {REFERENCE}/{file}"
            if k
            else f"brainmark score {SHOWN} -b average_vision --table {REFERENCE}/{file}"
            for k, file in enumerate(("results-table.md", "results.csv"))
        ),
        lambda: models(*SHOWN.split()) | _scored(),
    ),
    "honesty": Figures(
        f"{REFERENCE}/honesty.md",
        (f"python bench/honesty.py --experiments 150 --markdown {REFERENCE}/honesty-table.md",),
        lambda: (
            metrics("ridge", "single_unit", "rdm", "cka", "error_consistency", "tuning_distribution")
            | code("bench/honesty.py")
        ),
    ),
    "training": Figures(
        "docs/howto/train.md",
        ("python bench/training_figures.py docs/howto/training-table.md",),
        lambda: (
            models("cifar-resnet", "cifar-resnet:random", "cifar-resnet:random=1", "pixels")
            | benchmarks(*TRAINED.split())
            | code("bench/training_figures.py")
        ),
    ),
    "reading": Figures(
        f"{REFERENCE}/prediction-and-reading.md",
        ("brainmark relate (as the page says; it needs a run of `brainmark train tiny-gpt`)",),
        lambda: (
            models("tiny-gpt", "word-frequency", "ngram-*") | benchmarks("Frank2015.*-partial", "Frank2015.*-corr*")
        ),
    ),
    "libraries": Figures(
        f"{REFERENCE}/libraries.md",
        (f"python bench/parity/libraries.py --table {REFERENCE}/libraries.md",),
        lambda: metrics("*") | code("bench/parity/libraries.py"),
    ),
    "parity": Figures(
        f"{REFERENCE}/parity.md",
        ("python bench/parity/run.py --full",),
        lambda: metrics("brainscore-*") | code("bench/parity/cases.py"),
    ),
    "speed": Figures(
        f"{REFERENCE}/speed.md",
        ("python bench/metrics_speed.py", "python bench/similarity_speed.py"),
        lambda: code("bench/metrics_speed.py", "bench/similarity_speed.py") | release(),
    ),
    "speed-activations": Figures(
        f"{REFERENCE}/speed-activations.md",
        ("python bench/activations_speed.py",),
        lambda: code("bench/activations_speed.py") | release(),
    ),
    "speed-language": Figures(
        f"{REFERENCE}/speed-language.md",
        ("python bench/language_speed.py",),
        lambda: code("bench/language_speed.py") | release(),
    ),
}


def read_stamps() -> dict[str, dict[str, object]]:
    """What figures rested on when they were made, and when that was."""
    return json.loads(STAMPS.read_text("utf-8")) if STAMPS.exists() else {}


def say_age(name: str) -> str:
    """Return the line of a page that says how old its figures are."""
    stamp = read_stamps().get(name)
    if stamp is None:
        return f"The figures of this page were made before their age was noted; `python bench/figures.py make {name}`."
    then, now = stamp["rests_on"], FIGURES[name].rests_on()
    assert isinstance(then, dict)
    changed = sorted(key for key in then | now if then.get(key) != now.get(key))
    made = f"The figures of this page were made on {stamp['made']}"
    if not changed:
        return f"{made}; nothing that they rest on has changed since."
    shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return f"{made}; since then {shown} changed: `python bench/figures.py make {name}` makes them anew."


def mark(name: str) -> re.Pattern[str]:
    """The mark of figures in their page, and the line below it."""
    return re.compile(rf"(<!-- age of figures: {name} -->\n\n)([^\n]*)(?=\n)")


def read_age(name: str) -> str | None:
    """Return the line that a page has; None where it has no mark."""
    found = mark(name).search((ROOT / FIGURES[name].page).read_text("utf-8"))
    return found and found[2]


def write_age(name: str) -> None:
    """Write into a page how old its figures are."""
    page, line = ROOT / FIGURES[name].page, say_age(name)
    text = page.read_text("utf-8")
    if not mark(name).search(text):  # written anew, without its mark: below the title
        title, _, rest = text.partition("\n\n")
        text = f"{title}\n\n<!-- age of figures: {name} -->\n\n-\n\n{rest}"
    page.write_text(mark(name).sub(lambda m: m[1] + line, text), "utf-8")


def make(name: str) -> None:
    """Run the commands of figures, and note what they rest on."""
    before = FIGURES[name].rests_on()
    for command in FIGURES[name].commands:
        print("$", command, flush=True)
        program, *rest = shlex.split(command)
        folder = Path(sys.executable).parent
        subprocess.run([str(folder / program), *rest], cwd=ROOT, check=True)
    stamps = read_stamps() | {name: {"made": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", "rests_on": before}}
    STAMPS.write_text(json.dumps(stamps, indent=1, sort_keys=True) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", nargs="?", choices=["say", "make"], default="say")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)}; none: all")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(FIGURES))
    if unknown:
        parser.error(f"unknown figures {', '.join(unknown)}; known: {', '.join(FIGURES)}")
    for name in options.names or FIGURES:
        if options.action == "make":
            make(name)
        write_age(name)
        print(f"{name}: {say_age(name)}")


if __name__ == "__main__":
    main()
