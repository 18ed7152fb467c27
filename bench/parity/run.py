"""Compare our metrics with those of brainscore-vision and brainscore-language, each in its own environment.

python bench/parity/run.py --vision ENV/bin/python --language ENV/bin/python [--full] [--only REGEX]
    [--json FILE [--missing | --ours]] [--table FILE]

Prints one row for each case: both scores, their difference and what is allowed, time and peak memory of both (above
what data and imports take). The default run takes about two minutes, `--full` more than an hour.
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
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cases import Case, cases, make

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for package in ("vision", "language"):
        variable = f"BRAINMARK_PARITY_{package.upper()}"
        parser.add_argument(f"--{package}", default=os.environ.get(variable), help=f"its Python (or ${variable})")
    parser.add_argument("--full", action="store_true", help="all shapes")
    parser.add_argument("--only", default="", help="regular expression that names of cases contain")
    parser.add_argument("--fresh", action="store_true", help="a process for each case: slow, memory is then exact")
    parser.add_argument("--table", type=Path, help="write the table of the documentation to this file")
    parser.add_argument("--json", type=Path, help="keep all results in this file, those of earlier runs as well")
    parser.add_argument("--missing", action="store_true", help="only the cases without two scores in that file")
    parser.add_argument("--ours", action="store_true", help="our side anew, next to the other one as in that file")
    parser.add_argument("--threads", default="2", help="of both sides")
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one measurement may take")
    return parser.parse_args()


class Side:
    """A process that measures one case after the other; `fresh`: a process for each case, so that memory is its own."""

    def __init__(self, python: str, script: str, options: argparse.Namespace) -> None:
        self.command, self.options = [python, str(HERE / script)], options
        self.process: subprocess.Popen[str] | None = None

    def measure(self, case: Case, data: Path) -> dict[str, Any]:
        if self.process is None:
            environment = os.environ | dict.fromkeys(THREADS, self.options.threads)
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(self.command, env=environment, text=True, **pipes)
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        late = threading.Timer(self.options.limit, process.kill)
        late.start()
        process.stdin.write(f"{json.dumps(asdict(case))} {data}\n")
        process.stdin.flush()
        answer = next((json.loads(line[1:]) for line in process.stdout if line.startswith("@")), None)
        late.cancel()
        if answer is None or self.options.fresh:
            self.close()
        return answer or {"failure": f"no answer within {self.options.limit:.0f} s, or killed"}

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait()
        self.process = None


def verdict(case: Case, theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    if case.refused:
        return "" if "InvalidMeasurement" in ours.get("failure", "") else "ours must refuse these data"
    if "failure" in theirs:
        return f"not compared, incumbent: {theirs['failure']}"
    if "failure" in ours:
        return f"ours: {ours['failure']}"
    return "" if difference(theirs, ours) <= case.tolerance else f"differs by more than {case.tolerance:.0e}"


def difference(theirs: dict[str, Any], ours: dict[str, Any]) -> float:
    """Largest difference of the scores (of all time bins); NaN on both sides is none."""
    one, other = (np.atleast_1d(np.array(side["score"], float)) for side in (theirs, ours))
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        return math.inf
    return float(np.nan_to_num(np.abs(one - other)).max())


def outcome(side: dict[str, Any]) -> str:
    """The score of one side in words: a number (the mean of time bins), that it refused, or took too long."""
    if "failure" in side:
        return "too slow" if side["failure"].startswith("no answer") else "refused"
    return f"{np.mean(side['score']):.6f}"


def row(case: Case, theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    if "failure" in theirs or "failure" in ours:
        return f"{case.name:62} {outcome(theirs):>9} {outcome(ours):>9}  {verdict(case, theirs, ours)}"
    return (
        f"{case.name:62} {outcome(theirs):>9} {outcome(ours):>9} {difference(theirs, ours):8.1e} "
        f"{theirs['seconds']:9.4f} {ours['seconds']:9.4f} {theirs['seconds'] / ours['seconds']:7.1f} "
        f"{theirs['memory']:7.0f} {ours['memory']:7.0f}  {verdict(case, theirs, ours)}"
    )


PAGE = """# Parity with Brain-Score

This page compares `brainmark.brainscore.metrics` with the metric objects of the two published packages, on synthetic
recordings and behaviour. It is written by `bench/parity/run.py`, which describes the cases; known errors of the
published metrics are listed in the documentation of {{py:mod}}`brainmark.brainscore.metrics`. [](libraries.md) compares
the other metrics.

- {versions}

{agree} of the {compared} cases that both sides compute agree within what is allowed: a difference of 1e-4 for metrics
that fit a regression, of 1e-6 for the others. {refused} cases have data that must be refused (missing values, stimuli
that occur twice), and are refused here. Shapes are presentations x model units - neuroids; for behaviour see
`bench/parity/cases.py`. Unbiased CKA as published rounds by 1e-6 in float32; it is given the same numbers in float64.
{differing}{missing}

| package | case | published | here | difference | allowed |
|---|---|---|---|---|---|
{rows}
"""


def page(results: list[dict[str, Any]]) -> str:
    """The page of the documentation."""
    versions = {json.dumps(r[s]["versions"]) for r in results for s in ("theirs", "ours") if "versions" in r[s]}
    listed = ["; ".join(f"{name} {number}" for name, number in json.loads(v).items()) for v in sorted(versions)]
    known = {case.name: case for case in cases()}
    chosen = [(known[r["case"]], r) for r in results]
    both = [(case, r) for case, r in chosen if not case.refused and "score" in r["theirs"] and "score" in r["ours"]]
    rows: list[str] = []
    for case, r in chosen:
        compared = "score" in r["theirs"] and "score" in r["ours"]
        delta = f"{difference(r['theirs'], r['ours']):.0e}" if compared else ""
        cells = (
            case.package,
            case.name.removeprefix(f"{case.package} "),
            outcome(r["theirs"]),
            outcome(r["ours"]),
            delta,
            "" if case.refused else f"{case.tolerance:.0e}",
        )
        rows.append("| " + " | ".join(cells) + " |")
    apart = [case.name for case, r in both if r["verdict"]]
    note = "\nThey differ in: {} (see `bench/parity/README.md`).\n" if apart else ""
    alone = [name for name, case in known.items() if not case.refused and name not in {c.name for c, _ in both}]
    listed_alone = "".join(f"\n- {name}" for name in alone)
    why = "Not compared: the published code refuses the data, or was not run to its end for the time it takes:"
    missing = f"\n{why}\n{listed_alone}\n" if alone else ""
    return PAGE.format(
        differing=note.format(", ".join(apart)),
        missing=missing,
        versions="\n- ".join(listed),
        agree=sum(not r["verdict"] for _, r in both),
        compared=len(both),
        refused=sum(case.refused and not r["verdict"] for case, r in chosen),
        rows="\n".join(rows),
    )


def keep(options: argparse.Namespace, results: list[dict[str, Any]]) -> None:
    """Write the latest result of each case that still exists, in the order of the cases, judged by today's rules."""
    known, latest = {case.name: case for case in cases()}, {r["case"]: r for r in results}
    latest = [
        latest[name] | {"verdict": verdict(case, latest[name]["theirs"], latest[name]["ours"])}
        for name, case in known.items()
        if name in latest
    ]
    if options.json:
        options.json.write_text(json.dumps(latest, indent=1))
    if options.table:
        options.table.write_text(page(latest))


def main() -> int:
    options = arguments()
    pythons = {"vision": options.vision, "language": options.language}
    print(f"{platform.platform()}, {os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(f"{'case':62} {'theirs':>9} {'ours':>9} {'|delta|':>8} {'s':>9} {'s':>9} {'ratio':>7} {'MB':>7} {'MB':>7}")
    results: list[dict[str, Any]] = []
    earlier: list[dict[str, Any]] = (
        json.loads(options.json.read_text()) if options.json and options.json.exists() else []
    )
    have = {r["case"] for r in earlier if "score" in r["theirs"] and "score" in r["ours"]}
    theirs_kept = {r["case"]: r["theirs"] for r in earlier}
    sides = {name: Side(python, "incumbent.py", options) for name, python in pythons.items() if python}
    sides["ours"] = Side(sys.executable, "ours.py", options)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            kept = theirs_kept.get(case.name) if options.ours else None
            asked = (case.small or options.full) and re.search(options.only, case.name)
            wanted = asked and (kept if options.ours else pythons[case.package])
            if not wanted or (options.missing and case.name in have):
                continue
            data = Path(folder) / "data.npz"
            np.savez(data, **make(case))  # pyright: ignore[reportArgumentType]
            theirs = kept or sides[case.package].measure(case, data)
            ours = sides["ours"].measure(case, data)
            print(row(case, theirs, ours), flush=True)
            results.append({"case": case.name, "theirs": theirs, "ours": ours, "verdict": verdict(case, theirs, ours)})
            keep(options, [*earlier, *results])  # a run that is cut off keeps what it has
    for side in sides.values():
        side.close()
    versions = {json.dumps(r[s]["versions"]) for r in results for s in ("theirs", "ours") if "versions" in r[s]}
    for line in sorted(versions):
        print(", ".join(f"{name} {version}" for name, version in json.loads(line).items()))
    bad = [r["case"] for r in results if r["verdict"] and not r["verdict"].startswith("not compared")]
    print(f"{len(results) - len(bad)} of {len(results)} cases agree" + "".join(f"\n  not: {name}" for name in bad))
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
