"""Compare our metrics with those of brainscore-vision and brainscore-language, each in its own environment.

python bench/parity/run.py --vision ENV/bin/python --language ENV/bin/python [--full] [--only REGEX] [--json FILE]

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
    parser.add_argument("--json", type=Path, help="write all results to this file")
    parser.add_argument("--threads", default="2", help="of both sides")
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one measurement may take")
    return parser.parse_args()


def side(python: str, script: str, index: int, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one side of one case in a process of its own."""
    environment = os.environ | dict.fromkeys(THREADS, options.threads)
    command = [python, str(HERE / script), str(index), str(data)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=options.limit)
    except subprocess.TimeoutExpired:
        return {"failure": f"more than {options.limit:.0f} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failure": lines[-1][:200] if lines else f"exit status {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def verdict(case: Case, theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    if "failure" in theirs:
        return f"incumbent: {theirs['failure']}"
    if "failure" in ours:
        return f"ours: {ours['failure']}"
    return "" if difference(theirs, ours) <= case.tolerance else f"differs by more than {case.tolerance:.0e}"


def difference(theirs: dict[str, Any], ours: dict[str, Any]) -> float:
    if math.isnan(theirs["score"]) and math.isnan(ours["score"]):
        return 0.0
    return abs(theirs["score"] - ours["score"])


def row(case: Case, theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    if "failure" in theirs or "failure" in ours:
        return f"{case.name:62} {verdict(case, theirs, ours)}"
    return (
        f"{case.name:62} {theirs['score']:9.6f} {ours['score']:9.6f} {difference(theirs, ours):8.1e} "
        f"{theirs['seconds']:9.4f} {ours['seconds']:9.4f} {theirs['seconds'] / ours['seconds']:7.1f} "
        f"{theirs['memory']:7.0f} {ours['memory']:7.0f}  {verdict(case, theirs, ours)}"
    )


def main() -> int:
    options = arguments()
    pythons = {"vision": options.vision, "language": options.language}
    print(f"{platform.platform()}, {os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(f"{'case':62} {'theirs':>9} {'ours':>9} {'|delta|':>8} {'s':>9} {'s':>9} {'ratio':>7} {'MB':>7} {'MB':>7}")
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for index, case in enumerate(cases()):
            if not (case.small or options.full) or not re.search(options.only, case.name) or not pythons[case.package]:
                continue
            data = Path(folder) / "data.npz"
            np.savez(data, **make(case))  # pyright: ignore[reportArgumentType]
            theirs = side(pythons[case.package], "incumbent.py", index, data, options)
            ours = side(sys.executable, "ours.py", index, data, options)
            print(row(case, theirs, ours), flush=True)
            results.append({"case": case.name, "theirs": theirs, "ours": ours, "verdict": verdict(case, theirs, ours)})
    versions = {json.dumps(r[s]["versions"]) for r in results for s in ("theirs", "ours") if "versions" in r[s]}
    for line in sorted(versions):
        print(", ".join(f"{name} {version}" for name, version in json.loads(line).items()))
    bad = [r["case"] for r in results if r["verdict"]]
    print(f"{len(results) - len(bad)} of {len(results)} cases agree" + "".join(f"\n  not: {name}" for name in bad))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
