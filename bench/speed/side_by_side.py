"""Times a peer and us on the same data, each in a process and an environment of its own, and writes the table.

A benchmark script lists `Case`s and calls `main`. Both sides of a case are scripts, called as
``python SCRIPT ARGUMENTS data.npz``, that print one line of JSON last: ``seconds``, ``peak`` (MB, high-water mark of
the whole process, imports and data included), ``values`` (what was computed) and ``versions``; `clock` takes the first
two. Results are kept in a file: peers are slow, and measured again on demand only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
HEAD = (
    "| work | peer | s | MB | ours, s | MB | ratio | goal | difference |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|",
)

Measured = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One row of a table.

    Attributes
    ----------
    work : what is computed, with shapes; identifies the case.
    peer : name of the peer, as the table shows it.
    environment : which interpreter runs it: "vision", "language", "rsatoolbox" (options of the command line).
    theirs, ours : script, in this folder, and its arguments.
    make : returns the arrays that both sides read.
    goal : ratio to reach.
    share : part of the work that the peer does; its time is divided by it.
    comparable : whether both compute the same number.
    """

    work: str
    peer: str
    environment: str
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    make: Callable[[], Mapping[str, np.ndarray]]
    goal: float
    share: float = 1.0
    comparable: bool = True


def main(cases: Sequence[Case], title: str, description: str | None) -> None:
    """Measure the cases that the command line selects, print their table, and write it into a page if asked."""
    options = _arguments(cases, description)
    results: dict[str, Measured] = {}
    if options.results and options.results.exists():
        results = json.loads(options.results.read_text())
    print("\n".join(HEAD), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            if re.search(options.cases, case.work):
                results[case.work] = _measure(case, results.get(case.work, {}), Path(folder), options)
                print(_row(case, results[case.work]), flush=True)
                if options.results:
                    options.results.write_text(json.dumps(results, indent=1))
    print("\n" + _setting(cases, results))
    if options.markdown:
        _write(options.markdown, title, cases, results)


def _arguments(cases: Sequence[Case], description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in sorted({case.environment for case in cases}):
        variable = f"BRAINMARK_PARITY_{name.upper()}"
        parser.add_argument(f"--{name}", default=os.environ.get(variable), help=f"Python of that peer (or ${variable})")
    parser.add_argument("--cases", default="", help="regular expression that the names of cases contain")
    parser.add_argument("--results", type=Path, help="file that keeps results; peers that it holds are not run again")
    parser.add_argument("--again", action="store_true", help="run peers again")
    parser.add_argument("--markdown", type=Path, help="page into which the table of all results is written")
    parser.add_argument("--repeat", type=int, default=1, help="times that both sides run in turn; medians are shown")
    parser.add_argument("--threads", default="2", help="of both sides")
    parser.add_argument("--under", default="", help="command under which measurements run, such as `taskset -c 0,1`")
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one measurement may take")
    return parser.parse_args()


def _measure(case: Case, known: Measured, folder: Path, options: argparse.Namespace) -> Measured:
    data = folder / "data.npz"
    np.savez(data, **case.make())  # pyright: ignore[reportArgumentType]
    found: Measured = {"date": datetime.now(UTC).strftime("%Y-%m-%d")}
    python, sides = getattr(options, case.environment), {"ours": (sys.executable, case.ours)}
    if "peer" in known and not options.again:
        found["peer"] = known["peer"]
    elif python:
        sides["peer"] = (python, case.theirs)
    runs = [{name: _side(*side, data, options) for name, side in sides.items()} for _ in range(options.repeat)]
    return found | {name: _middle([run[name] for run in runs]) for name in sides}


def _middle(runs: Sequence[Measured]) -> Measured:
    """Return the run of median time; a failure, if there is one."""
    failed = [run for run in runs if "failure" in run]
    return failed[0] if failed else sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]


def _side(python: str, script: Sequence[str], data: Path, options: argparse.Namespace) -> Measured:
    command = [*options.under.split(), python, str(HERE / script[0]), *script[1:], str(data)]
    environment = os.environ | dict.fromkeys(THREADS, options.threads)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=options.limit)
    except subprocess.TimeoutExpired:
        return {"failure": f"more than {options.limit:.0f} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failure": lines[-1][:200] if lines else f"exit status {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1]) | {"threads": options.threads}


def _row(case: Case, result: Measured) -> str:
    peer, ours = result.get("peer", {"failure": "not measured"}), result["ours"]
    if "failure" in ours:
        return f"| {case.work} | {case.peer} | | | {ours['failure']} | | | ≥ {case.goal:g} | |"
    mine = f"{ours['seconds']:.3g} | {ours['peak']:.0f}"
    if "failure" in peer:
        return f"| {case.work} | {case.peer} | {peer['failure']} | | {mine} | | ≥ {case.goal:g} | |"
    seconds = peer["seconds"] / case.share
    star = "" if case.share == 1 else "*"
    return (
        f"| {case.work} | {case.peer} | {seconds:.3g}{star} | {peer['peak']:.0f} | {mine} "
        f"| {_ratio(seconds / ours['seconds'])} | ≥ {case.goal:g} | {_difference(case, peer, ours)} |"
    )


def _ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _difference(case: Case, peer: Measured, ours: Measured) -> str:
    if not case.comparable:
        return "other draws"
    pairs = zip(peer["values"], ours["values"], strict=False)
    return f"{max(0.0 if math.isnan(a) and math.isnan(b) else abs(a - b) for a, b in pairs):.0e}"


def _setting(cases: Sequence[Case], results: Mapping[str, Measured]) -> str:
    """Hardware, date and versions of what the table shows."""
    shown = [results[case.work] for case in cases if case.work in results]
    sides = [r[side] for r in shown for side in ("peer", "ours") if "versions" in r.get(side, {})]
    threads = sorted({side["threads"] for side in sides})
    dates = sorted({r["date"] for r in shown})
    versions = sorted({", ".join(f"{k} {v}" for k, v in side["versions"].items()) for side in sides})
    lines = [f"{_processor()}, {', '.join(threads)} threads, Python {platform.python_version()}, {' to '.join(dates)}."]
    return "\n".join([*lines, *(f"- {line}" for line in versions)])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        wide = " with AVX-512" if any("avx512f" in line for line in lines) else ""
        return f"{name}{wide}, {os.cpu_count()} cores"
    except (OSError, StopIteration):
        return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _write(page: Path, title: str, cases: Sequence[Case], results: Mapping[str, Measured]) -> None:
    """Replace what stands between the marks of this table in the page; without marks, append."""
    rows = [_row(case, results[case.work]) for case in cases if case.work in results]
    begin, end = f"<!-- begin {title} -->", f"<!-- end {title} -->"
    text = "\n".join([begin, "", *HEAD, *rows, "", _setting(cases, results), "", end])
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    if begin in old:
        text = old[: old.index(begin)] + text + old[old.index(end) + len(end) :]
    else:
        text = f"{old}\n## {title}\n\n{text}\n"
    page.write_text(text, encoding="utf-8")
