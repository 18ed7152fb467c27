"""Compare our functions with those of the field's libraries, value by value, in one process.

python bench/parity/libraries.py [--only REGEX] [--table FILE]

Needs an environment that has them all (see the README). Prints one row for each case: their number and ours where the
two differ most, the largest difference and what is allowed; fails if one differs by more. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from comparisons import KNOWN, Answer, versions

PARTS = ("with_geometry", "with_regressions", "with_rsatoolbox", "with_statistics")  # each enters its comparisons

PAGE = """# Agreement with the field's libraries

This page compares the values of `brainmark.metrics` with those of other libraries on the same numbers. It is written by
`bench/parity/libraries.py`; [](parity.md) does the same for the packages of Brain-Score.

- {versions}

{agree} of {count} comparisons agree, {cases} cases in all. Each row summarises several cases (shapes, penalties, kinds
of data) by the one in which the two sides differ most: both values where they differ most, and their difference as a
share of the largest number of the case. The allowed difference covers rounding, or the tolerance of an iteration in the
library. Numbers in the last column refer to notes on conventions that differ, and how they were matched.

| library | function there | here | cases | value there | value here | difference | allowed | note |
|---|---|---|---|---|---|---|---|---|
{rows}

## Where conventions differ

{notes}

## What is not here

Of these libraries' measures, `brainmark.metrics` lacks Kendall's tau-b, dissimilarities of Poisson rates, Riemannian
and Bures distances between RDMs, and RDMs of models whose weights are fitted (rsatoolbox); distances between
distributions of responses to a stimulus (netrep's stochastic metrics).
"""


def row(answer: Answer) -> str:
    """One case, for the terminal."""
    theirs, ours = answer.farthest
    versus = answer.versus
    verdict = "" if answer.agrees else "  differs by more"
    return (
        f"{versus.name:52.52} {versus.ours:40.40} {answer.case:18.18} {theirs:12.6g} {ours:12.6g} "
        f"{answer.difference:8.1e} {versus.allowed:8.0e}{verdict}"
    )


def page(answers: Sequence[Answer]) -> str:
    """The page of the documentation."""
    notes: dict[str, int] = {}
    rows: list[str] = []
    for versus in dict.fromkeys(answer.versus for answer in answers):
        found = [answer for answer in answers if answer.versus == versus]
        worst = max(found, key=lambda answer: answer.difference)
        theirs, ours = worst.farthest
        note = str(notes.setdefault(versus.note, len(notes) + 1)) if versus.note else ""
        numbers = f"{theirs:.6g}", f"{ours:.6g}", f"{worst.difference:.0e}", f"{versus.allowed:.0e}", note
        rows.append(
            "| " + " | ".join((versus.library, versus.theirs, f"`{versus.ours}`", str(len(found)), *numbers)) + " |"
        )
    return PAGE.format(
        versions=versions([answer.versus.library for answer in answers]).replace("; ", "\n- "),
        agree=sum(all(a.agrees for a in answers if a.versus == v) for v in {a.versus for a in answers}),
        count=len(rows),
        cases=len(answers),
        rows="\n".join(rows),
        notes="\n".join(f"{number}. {note[0].upper()}{note[1:]}." for note, number in notes.items()),
    )


def main() -> int:
    """Compare; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="regular expression that library, their function or ours contain")
    parser.add_argument("--table", type=Path, help="write the page of the documentation to this file")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the libraries, about each other and about small samples
    for part in PARTS:
        importlib.import_module(part)
    chosen = [versus for versus in KNOWN if re.search(options.only, f"{versus.name} {versus.ours}")]
    answers: list[Answer] = []
    start = time.perf_counter()
    for versus in chosen:
        for answer in versus.answers():
            print(row(answer), flush=True)
            answers.append(answer)
    print(versions([versus.library for versus in chosen]))
    apart = [f"{answer.versus.name} {answer.case}" for answer in answers if not answer.agrees]
    seconds = time.perf_counter() - start
    print(f"{len(answers) - len(apart)} of {len(answers)} cases agree, in {seconds:.0f} s")
    print(*(f"  not: {name}" for name in apart), sep="\n", end="")
    if options.table:
        options.table.write_text(page(answers))
    return 1 if apart or not answers else 0


if __name__ == "__main__":
    sys.exit(main())
