"""Habits of the house that a reader relies on: each is checked on the tree as it is."""

from __future__ import annotations

import ast
import functools
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
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


LAZY = sorted(p for p in TRACKED if p.is_relative_to(SRC) and p.suffix == ".pyi")


@pytest.mark.parametrize("stub", LAZY, ids=lambda p: p.parent.name)
def test_lazy_names_are_those_that_type_checkers_see(stub: Path) -> None:
    module = importlib.import_module(".".join(stub.parent.relative_to(SRC).parts))
    imports = [node for node in ast.parse(stub.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)]
    assert set(module.__all__) == {alias.asname or alias.name for node in imports for alias in node.names}
    for name in module.__all__:
        assert getattr(module, name) is not None


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
    assert re.search(f"^{contract}.* BROKEN", linted.stdout, re.MULTILINE), linted.stdout + linted.stderr


def test_a_room_without_a_place_is_found(tmp_path: Path) -> None:
    shutil.copytree(SRC, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src" / "brainmark" / "attic.py").write_text("")
    linted = lint_imports(tmp_path / "src")
    assert linted.returncode == 1
    assert "attic" in linted.stdout + linted.stderr


# --- the source ------------------------------------------------------------------------------------------------------

# Limits that may fall and never rise. They say how far the tree is from 0.
MOST_INNER_IMPORTS = 10  # import statements inside functions
MOST_UNEXPLAINED_IMPORTS = 0  # of these, without a comment on the line or the line before
MOST_PARTICIPLES = 12  # functions named by what was done instead of by what they do
MOST_REPEATED_CLASSES = 0  # names of classes that stand in several modules
MOST_CYCLES = 0  # groups of modules that import one another in a circle
MOST_BRAINSCORE_IMPORTS = 0  # imports of the plug-in brainmark.brainscore from outside
LEAST_MIRRORED = 0.75  # share of modules with a test at the mirrored path; this one may rise and never fall

IRREGULAR = {
    "begun", "bound", "broken", "built", "chosen", "cut", "done", "drawn", "fed", "found", "given", "gone", "hidden",
    "held", "kept", "known", "led", "left", "lost", "made", "meant", "met", "paid", "said", "seen", "sent", "shown",
    "spent", "split", "taken", "thrown", "told", "understood", "won", "written",
}  # fmt: skip
VERBS = {
    "bleed",
    "embed",
    "exceed",
    "feed",
    "need",
    "proceed",
    "reseed",
    "seed",
    "split",
    "cut",
}  # end like a participle
ADJECTIVES = {
    "shuffled": "a kind of control, named as on the cards",
    "shuffled_within_label": "the same",
    "untrained_twin": "the same",
    "named_modules": "the name of torch",
    "broken_answers_are_refused": "a rule of the conformance suite, which is a sentence",
    "published_accuracy": "the metric as Brain-Score computes it; accuracy is taken",
    "published_error_consistency": "the same",
    "published_pearsonr": "the same",
    "published_solution_times": "the same",
    "unbiased_cka": "the name of a metric",
    "weighted_mean": "the name of a statistic",
    "weighted_pearson": "the name of a statistic",
    "explained_variance": "the name of a statistic",
}


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Syntax trees of the modules, and of the stubs of lazy packages, by name."""
    paths = {m: SRC / Path(*m.split(".")) for m in MODULES}
    files = {m: p / "__init__.py" if p.is_dir() else p.with_suffix(".py") for m, p in paths.items()}
    stubs = {".".join(p.parent.relative_to(SRC).parts): p for p in LAZY}  # the stub says more than the lazy module
    return {m: ast.parse(p.read_text("utf-8")) for m, p in (files | stubs).items()}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def inner_imports(tree: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """Import statements inside functions, each once, in order of lines."""
    found = {
        node.lineno: node
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [found[line] for line in sorted(found)]


def unexplained(source: str) -> list[int]:
    """Lines of imports inside functions without a reason; one reason serves a block of imports."""
    lines = source.splitlines()
    bare: list[int] = []
    explained = 0  # last line of an import with a reason
    for node in inner_imports(ast.parse(source)):
        if (
            "# " in lines[node.lineno - 1]
            or lines[node.lineno - 2].lstrip().startswith("# ")
            or (explained == node.lineno - 1)
        ):
            explained = node.end_lineno or node.lineno
        else:
            bare.append(node.lineno)
    return bare


def is_data(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a property, which is read like an attribute."""
    return any(ast.unparse(decorator).endswith("property") for decorator in function.decorator_list)


def is_participle(name: str) -> bool:
    word = name.lstrip("_").split("_")[0]
    return (word.endswith("ed") or word in IRREGULAR) and word not in VERBS and name not in ADJECTIVES


def imports(module: str) -> set[str]:
    """Names of modules that a module imports, at any place, for types too."""
    known = trees().keys()
    found: set[str] = set()
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & known or {str(node.module)}
    return (found & known) - {module}


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups of modules that reach one another."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        return seen

    reach = {module: reached(module) for module in graph}
    groups = {frozenset(m for m in reach[n] if n in reach[m]) for n in graph if n in reach[n]}
    return sorted(map(set, groups), key=min)


def test_imports_stand_at_the_top() -> None:
    found = [f"{m}:{node.lineno}" for m, tree in trees().items() for node in inner_imports(tree)]
    assert len(found) <= MOST_INNER_IMPORTS, "\n".join(found)


def test_imports_elsewhere_have_a_reason() -> None:
    sources = {p: p.read_text("utf-8") for p in TRACKED if p.is_relative_to(SRC) and p.suffix == ".py"}
    found = [f"{p.relative_to(SRC)}:{line}" for p, source in sources.items() for line in unexplained(source)]
    assert len(found) <= MOST_UNEXPLAINED_IMPORTS, "\n".join(found)


def test_functions_are_verbs() -> None:
    verbs = [(module, f.name) for module, tree in trees().items() for f in functions(tree) if not is_data(f)]
    found = [f"{module}.{name}" for module, name in verbs if is_participle(name)]
    assert len(found) <= MOST_PARTICIPLES, "\n".join(found)


def test_classes_have_names_of_their_own() -> None:
    places: dict[str, list[str]] = {}
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module)
    repeated = [f"{name}: {', '.join(where)}" for name, where in places.items() if len(set(where)) > 1]
    assert len(repeated) <= MOST_REPEATED_CLASSES, "\n".join(repeated)


def test_no_modules_import_one_another_in_a_circle() -> None:
    found = circles({module: imports(module) for module in trees()})
    assert len(found) <= MOST_CYCLES, "\n".join(", ".join(sorted(group)) for group in found)


def test_nobody_imports_the_plug_in_or_the_terminal() -> None:
    def into(room: str) -> list[str]:
        inside = (f"brainmark.{room}", f"brainmark.{room}.")
        outside = [m for m in trees() if m != inside[0] and not m.startswith(inside[1])]
        return [f"{m} -> {n}" for m in outside for n in imports(m) if n == inside[0] or n.startswith(inside[1])]

    assert [line for line in into("cli") if not line.startswith("brainmark.__main__ ")] == []
    assert into("web") == []
    found = into("brainscore")
    assert len(found) <= MOST_BRAINSCORE_IMPORTS, "\n".join(found)


def test_tests_mirror_the_source() -> None:
    modules = [m.split(".")[1:] for m in MODULES if "." in m and not m.endswith("__main__") and ".migrations." not in m]
    modules = [parts for parts in modules if not (SRC / "brainmark" / Path(*parts)).is_dir()]
    mirrored = [ROOT / "tests" / Path(*parts[:-1]) / f"test_{parts[-1]}.py" for parts in modules]
    share = sum(path.exists() for path in mirrored) / len(mirrored)
    assert share >= LEAST_MIRRORED, f"{share:.3f}\n" + "\n".join(names_of([p for p in mirrored if not p.exists()]))


def test_an_import_without_a_reason_would_be_seen() -> None:
    source = "def f():\n    import a  # slow\n    import b\n    x = 1\n    import c\n    # slow\n    import d\n"
    assert unexplained(source) == [5]


@pytest.mark.parametrize(
    ("name", "participle"),
    [
        ("_named", True),
        ("drawn_pairs", True),
        ("seed_of", False),
        ("split", False),
        ("shuffled", False),
        ("draw", False),
    ],
)
def test_a_participle_would_be_seen(name: str, participle: bool) -> None:
    assert is_participle(name) is participle


def test_a_circle_would_be_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}}) == [{"b", "c"}, {"d"}]


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
    """Blocks below the title that are no version heading, no subject and no plain sentences."""
    _, _, body = text.partition("\n## ")
    if not body.startswith("Unreleased\n"):
        return ["the first section is not '## Unreleased'"]
    blocks = re.split(r"\n(?=- )|\n{2,}", f"## {body}".strip())
    version = r"## (Unreleased|\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\))"
    sentences = r"(- )?[A-Z0-9`(].*[.:](\)|`)?"
    return [b for b in blocks if not re.fullmatch(rf"{version}|### [A-Z].*|{sentences}", b, re.DOTALL)]


def test_the_changelog_is_in_sentences() -> None:
    assert changelog_faults((ROOT / "CHANGELOG.md").read_text("utf-8")) == []


@pytest.mark.parametrize("line", ["- no capital at the start.", "- No full stop", "loose text.", "## 1.0"])
def test_a_faulty_changelog_would_be_seen(line: str) -> None:
    assert changelog_faults(f"# Changelog\n\n## Unreleased\n\n- A fine outcome.\n\n{line}\n") == [line]


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
