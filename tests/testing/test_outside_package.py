"""A package outside this one, installed beside it, adds a model, a benchmark and a sense."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "example_package"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder with what an installer makes of the example package."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "toy_brains", folder / "toy_brains", ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / f"toy_brains-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(f"{name} = {value}\n" for name, value in project["entry-points"]["brainmark"].items())
    (info / "entry_points.txt").write_text(f"[brainmark]\n{points}")
    return folder


def run(site: Path, *command: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(site), str(EXAMPLE.parents[1] / "src")))
    environment = {**os.environ, "PYTHONPATH": path, "BRAINMARK_HOME": str(site / "home"), "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def brainmark(site: Path, *arguments: str) -> str:
    return run(site, sys.executable, "-c", "from brainmark.cli import main; main()", *arguments).stdout


@pytest.mark.parametrize("module", ["model", "benchmark"])
def test_adding_one_takes_at_most_15_lines(module):
    lines = (EXAMPLE / "toy_brains" / f"{module}.py").read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= 15


def test_both_are_listed_beside_our_own(site):
    kinds = ("models", "benchmarks")
    names = {kind: {e["name"] for e in json.loads(brainmark(site, "list", kind, "--json"))} for kind in kinds}
    assert {"toy-filters", "pixels"} <= names["models"]
    assert {"Toy.IT-pls", "Simulated.IT-ridge"} <= names["benchmarks"]


def test_listing_them_loads_no_array_library(site):
    code = (
        "import sys, brainmark; assert 'toy-filters' in brainmark.list_models(); "
        "print([m for m in ('numpy', 'xarray', 'pandas', 'torch') if m in sys.modules])"
    )
    assert run(site, sys.executable, "-c", code).stdout.strip() == "[]"


@pytest.mark.slow
def test_they_score_and_pass_the_conformance_suite_as_a_package(site):
    code = (
        "import brainmark; s = brainmark.score('toy-filters', 'Toy.IT-pls'); print(s.raw, s.ceiling); "
        "from brainmark.testing import check_package; "
        "print({(r.kind, r.name): r.outcome for r in check_package('toy-brains')})"
    )
    score, found = run(site, sys.executable, "-W", "error", "-c", code).stdout.splitlines()
    raw, ceiling = map(float, score.split())
    assert 0.1 < raw < ceiling < 1
    assert "'failed'" not in found
    for name in ("toy-filters", "Toy.IT-pls", "toy-nose", "ToySmell.bulb", "toy-odour-map", "ToySmell.names-top1"):
        assert f"'{name}'): 'passed'" in found or f"'{name}'): 'skipped'" in found


def test_a_sense_that_nobody_thought_of_is_scored_and_has_its_tree(site):
    code = (
        "import brainmark; from brainmark.core import Record, benchmarks, tree; "
        "names = brainmark.list_benchmarks(domain='olfaction'); print(names); "
        "print([round(brainmark.score('toy-nose', name).value, 1) for name in names]); "
        "print([n.name for r in tree.tree({n: benchmarks[n].card for n in names}) for n in r.walk()])"
    )
    listed, values, nodes = run(site, sys.executable, "-W", "error", "-c", code).stdout.splitlines()
    assert listed == "['ToySmell.bulb-odour_map', 'ToySmell.names-top1']"
    assert values == "[0.8, 1.0]"
    assert nodes == "['simulated_olfaction', 'ToySmell']"


def test_other_senses_say_that_they_do_not_know_the_question(site):
    code = "import brainmark; print(*[o.to_dict() for o in brainmark.score_all(['pixels'], ['ToySmell.names-top1'])])"
    assert "not_applicable" in run(site, sys.executable, "-c", code).stdout


def test_the_command_checks_what_the_package_adds(site):
    shown = brainmark(site, "check", "toy-filters")
    assert "0 failed" in shown
    assert "same bits" in shown


def test_a_broken_plug_in_beside_it_breaks_nothing(site, tmp_path):
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / "broken_brains.py").write_text("import a_library_that_is_not_there\n")
    info = tmp_path / "site" / "broken_brains-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-brains\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[brainmark]\nall = broken_brains\n")
    code = (
        "import brainmark; from brainmark.core.registry import broken_plugins; "
        "print('toy-filters' in brainmark.list_models(), broken_plugins)"
    )
    done = run(tmp_path / "site", sys.executable, "-c", code)
    assert done.stdout.strip() == (
        "True {'all = broken_brains': \"ModuleNotFoundError: No module named 'a_library_that_is_not_there'\"}"
    )
    assert "plug-in 'all' (broken_brains) is left out" in done.stderr
    failed = run(
        tmp_path / "site",
        sys.executable, "-c", "from brainmark.testing import run_checks; run_checks('broken-brains')",
        expect=1,
    )  # fmt: skip
    assert "the plug-in all = broken_brains could not be loaded: ModuleNotFoundError" in failed.stderr
