"""Habits of the house that a reader relies on: each is checked on the tree as it is."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
HEAVY = ("numpy", "pandas", "scipy", "torch", "xarray")
LARGEST = 500_000  # bytes
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:home|root|Users|work|mnt|data)/[\w.-]+|\b[A-Z]:\\Users\\")
RECORDINGS = {
    ".npy",
    ".npz",
    ".mat",
    ".nc",
    ".h5",
    ".hdf5",
    ".nwb",
    ".nii",
    ".wav",
    ".pkl",
    ".pickle",
    ".zip",
    ".parquet",
}
GIT = shutil.which("git") if (ROOT / ".git").exists() else None


def tracked() -> list[Path]:
    """Files that belong to the project: what git tracks, or, in an unpacked source distribution, what lies there."""
    if GIT is None:
        ours = [p for top in ("src", "tests", "docs") for p in (ROOT / top).rglob("*")] + list(ROOT.glob("*"))
        return [p for p in ours if p.is_file() and "__pycache__" not in p.parts and "_build" not in p.parts]
    listed = subprocess.run([GIT, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


TRACKED = tracked()
MODULES = sorted(
    ".".join(p.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for p in TRACKED
    if p.is_relative_to(SRC) and p.suffix == ".py"
)
PAGES = sorted(p for p in TRACKED if p.suffix == ".md")


def names_of(paths: list[Path]) -> list[str]:
    return [str(p.relative_to(ROOT)) for p in paths]


def fresh(code: str) -> str:
    """Run `code` in an interpreter of its own; what it printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- the package -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [m for m in MODULES if not m.split(".")[-1].startswith("__")])
def test_every_module_says_what_it_is_for(module: str) -> None:
    path = SRC / Path(*module.split("."))
    source = (path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py").read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring, f"{module} has no docstring"
    assert docstring.splitlines()[0].rstrip().endswith((".", ":")), f"{module}: the first line is no sentence"


def promised(package: str) -> set[str]:
    """Names that a package imports under TYPE_CHECKING."""
    source = (SRC / Path(*package.split(".")) / "__init__.py").read_text("utf-8")
    blocks = [n for n in ast.parse(source).body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    imports = [s for block in blocks for s in block.body if isinstance(s, ast.ImportFrom)]
    return {alias.asname or alias.name for statement in imports for alias in statement.names}


LAZY = [m for m in MODULES if (SRC / Path(*m.split(".")) / "__init__.py").exists() and promised(m)]


@pytest.mark.parametrize("package", LAZY)
def test_lazy_names_are_those_that_type_checkers_see(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) == promised(package)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_the_core_is_lazy() -> None:
    assert "brainmark.core" in LAZY


LOADED = f"import sys; print(*sorted(set(sys.modules) & set({HEAVY!r})))"


@pytest.mark.parametrize(
    "statement", ["import brainmark", "import brainmark.core", "from brainmark.core import models"]
)
def test_importing_loads_no_array_library(statement: str) -> None:
    assert fresh(f"{statement}; {LOADED}") == ""


def test_listing_loads_no_array_library() -> None:
    listing = "from brainmark.core import benchmarks, datasets, metrics, models"
    each = "[r.entries() for r in (benchmarks, datasets, metrics, models)]"
    assert fresh(f"{listing}; {each}; {LOADED}") == ""


def test_a_loaded_array_library_would_be_seen() -> None:
    assert "numpy" in fresh(f"import brainmark, numpy; {LOADED}").split()


# --- the rooms -------------------------------------------------------------------------------------------------------


def lint_imports(src: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command as c; c()"]
    command += ["--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")]
    environment = os.environ | {"PYTHONPATH": str(src)}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=src, env=environment)


@pytest.mark.parametrize(
    ("room", "statement", "contract"),
    [
        ("core/errors.py", "import brainmark.run", "Rooms import only towards the core"),
        ("metrics/__init__.py", "import brainmark.data", "Rooms import only towards the core"),
        ("core/errors.py", "import torch", "The core knows no network"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, room: str, statement: str, contract: str) -> None:
    shutil.copytree(SRC, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "src" / "brainmark" / room).open("a", encoding="utf-8") as file:
        file.write(f"\n{statement}\n")
    linted = lint_imports(tmp_path / "src")
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert re.search(f"^{contract}.* BROKEN$", linted.stdout, re.MULTILINE), linted.stdout + linted.stderr


def test_a_room_without_a_place_is_found(tmp_path: Path) -> None:
    shutil.copytree(SRC, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src" / "brainmark" / "attic.py").write_text("")
    linted = lint_imports(tmp_path / "src")
    assert linted.returncode == 1
    assert "attic" in linted.stdout + linted.stderr


# --- the tree --------------------------------------------------------------------------------------------------------


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found: list[str] = []
    for path in TRACKED:
        if path == Path(__file__):
            continue
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{i}: {line.strip()[:90]}"
            for i, line in enumerate(lines, 1)
            if MACHINE_PATH.search(line)
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["see /home/ada/brainmark", 'open("/home/bob/data")', r"C:\Users\ada", "/root/.cache"])
def test_a_place_on_a_machine_would_be_seen(text: str) -> None:
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["https://example.org/data/a.csv", "docs/data/x", "host/path", "/tmp/out.html"])
def test_other_paths_are_left_alone(text: str) -> None:
    assert not MACHINE_PATH.search(text)


def test_files_are_small() -> None:
    assert not [
        f"{n}: {p.stat().st_size} bytes"
        for n, p in zip(names_of(TRACKED), TRACKED, strict=True)
        if p.stat().st_size > LARGEST
    ]


def test_no_recordings_are_in_the_tree() -> None:
    assert not names_of([p for p in TRACKED if p.suffix.lower() in RECORDINGS])


def test_test_files_have_names_of_their_own() -> None:
    names = [p.name for p in TRACKED if p.is_relative_to(ROOT / "tests") and p.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


# --- the pages -------------------------------------------------------------------------------------------------------

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Targets of a page: its headings as GitHub and MyST spell them, and explicit `(name)=` labels."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+\s+(.*?)\s*$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


def dead_links(page: Path) -> list[str]:
    dead: list[str] = []
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            dead.append(target)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=names_of(PAGES))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page) == []


def test_a_dead_link_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, here\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#a-heading-here) [b](gone.md) [c](there.md#gone) [d](https://example.org)\n")
    assert dead_links(page) == ["gone.md", "there.md#gone"]


def changelog_faults(text: str) -> list[str]:
    """Lines that are no title, no version heading and no one-line outcome."""
    faults: list[str] = []
    body = text.split("\n## ", 1)
    if len(body) != 2 or not body[1].startswith("Unreleased\n"):
        return ["the first section is not '## Unreleased'"]
    for line in ("## " + body[1]).splitlines():
        version = re.fullmatch(r"## (Unreleased|\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\))", line)
        outcome = re.fullmatch(r"- [A-Z`].{8,158}\.", line)
        if line and not version and not outcome:
            faults.append(line)
    return faults


def test_the_changelog_has_one_outcome_a_line() -> None:
    assert changelog_faults((ROOT / "CHANGELOG.md").read_text("utf-8")) == []


@pytest.mark.parametrize("line", ["- no capital at the start.", "- No full stop", "Loose text.", "## 1.0"])
def test_a_faulty_changelog_would_be_seen(line: str) -> None:
    assert changelog_faults(f"# Changelog\n\n## Unreleased\n\n- A fine outcome.\n{line}\n") == [line]


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["authors"] == [{"name": a["name"]} for a in project["authors"]]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


# --- versions --------------------------------------------------------------------------------------------------------


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pairs}


def test_constraints_are_sorted_and_pin_each_library_once() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines == sorted(lines, key=str.lower)
    assert len(pins()) == len(lines)


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    names = {normal(re.split(r"[\[<>=~! ;]", d, maxsplit=1)[0]) for d in wanted} - {"brainmark"}
    assert names <= set(pins())


def test_hooks_use_the_versions_of_the_constraints() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    pinned = pins()
    for hook in hooks:
        for library in hook["additional_dependencies"]:
            name, version = library.split("==")
            assert pinned.get(normal(name), version) == version, f"{hook['id']}: {library}, but {pinned[normal(name)]}"
    assert any(h["additional_dependencies"] == [f"ruff=={pinned['ruff']}"] for h in hooks)
