"""The pages do what they say: every block that can run runs, and prints what is shown."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
INSTALLING = ("README.md", "CONTRIBUTING.md", "index.md")  # their shell blocks install; their Python runs


def beside(name: str):
    """Import a helper that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


pages = beside("pages")


def steps_of(path: Path):
    """Return the blocks of a page that can run in a test."""
    page = pages.runnable(pages.blocks(path.read_text("utf-8")))
    return [b for b in page if path.name not in INSTALLING or b.language == "python"]


MARKDOWN = [p for p in (*DOCS.rglob("*.md"), ROOT / "README.md") if "_build" not in p.parts]
RUNNING = sorted(p for p in MARKDOWN if steps_of(p))


@pytest.mark.slow
@pytest.mark.parametrize("path", RUNNING, ids=[str(p.relative_to(ROOT)) for p in RUNNING])
def test_a_page_does_what_it_says(path: Path, tmp_path: Path) -> None:
    page = steps_of(path)
    printed = pages.run(page, path.name, tmp_path)
    assert pages.differences(page, printed) == []


PAGE = """
# A page

```python
a = 1
```

<!-- file: there/b.py -->
```python
value = 41
```

<!-- not run: shown only -->
```python
raise SystemExit(3)
```

```python
from there.b import value
print("sum", a + value)
```

<!-- output -->
```text
sum 42
```

```bash
python -c "print(6 * 7)"  # a comment
```
"""


def test_blocks_are_read_with_their_marks() -> None:
    found = pages.blocks(PAGE)
    assert [(b.language, b.mark, b.what) for b in found] == [
        ("python", "", ""),
        ("python", "file", "there/b.py"),
        ("python", "not run", "shown only"),
        ("python", "", ""),
        ("text", "output", ""),
        ("bash", "", ""),
    ]


def test_a_page_runs_as_one_session(tmp_path: Path) -> None:
    page = pages.blocks(PAGE)
    printed = pages.run(page, "page.md", tmp_path)
    assert list(printed.values()) == ["", "", "sum 42\n", "", "42\n"]
    assert pages.differences(page, printed) == []


def test_another_output_would_be_seen(tmp_path: Path) -> None:
    page = pages.blocks(PAGE.replace("sum 42", "sum 45"))
    assert len(pages.differences(page, pages.run(page, "page.md", tmp_path))) == 1


@pytest.mark.parametrize("fault", ["1 / 0", "import warnings; warnings.warn('old')", "raise SystemExit(1)"])
def test_a_block_that_fails_would_be_seen(fault: str, tmp_path: Path) -> None:
    page = pages.blocks(f"```python\n{fault}\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md"):
        pages.run(page, "page.md", tmp_path)


def test_a_command_that_fails_would_be_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="returned non-zero"):
        pages.run(pages.blocks('```bash\npython -c "raise SystemExit(4)"\n```\n'), "page.md", tmp_path)


@pytest.mark.parametrize("mark", ["<!-- fil: x -->", "<!-- file -->", "<!-- not run -->"])
def test_a_misspelled_mark_is_refused(mark: str) -> None:
    with pytest.raises(ValueError, match="line"):
        pages.blocks(f"{mark}\n```python\n1\n```\n")


@pytest.mark.parametrize(
    ("shown", "printed", "agree"),
    [
        ("r 0.501", "r 0.501", True),
        ("r 0.501", "r 0.502", False),
        ("interval 0.22 to 0.30", "interval 0.24 to 0.30", False),
        ("0.237 – 0.296", "0.237 – 0.297", False),
        ("ceiling 0.824 4.1 s", "ceiling 0.824 8 s", True),
        ("ceiling 0.824 4.1 s", "ceiling 0.825 4.1 s", False),
        ("took 100 s", "took 1 min 41 s", True),
        ("took 100 s", "took 100 ms", False),
        ("── 5.1 s", "─── 5 s", True),
        ("took 3 min 2 s", "took 59 s", True),
        ("about 100", "about 101", False),
        ("a  b", "a b", True),
        ("a 1", "b 1", False),
        ("1 2", "1", False),
    ],
)
def test_outputs_agree_to_the_last_figure_but_for_times(shown: str, printed: str, agree: bool) -> None:
    assert pages.same(shown, printed) is agree


@pytest.mark.parametrize("path", [ROOT / "docs" / "quickstart.md"], ids=["quickstart"])
def test_any_other_figure_of_a_score_would_be_seen(path: Path) -> None:
    outputs = [b.code for b in pages.blocks(path.read_text("utf-8")) if b.mark == "output"]
    untimed = [pages.TIME.sub("", code) for code in outputs]
    figures = [(code, found) for code in untimed for found in re.finditer(r"\d\.\d+", code)]
    assert len(figures) > 15
    for code, found in figures:
        last = found.end() - 1
        other = code[:last] + str((int(code[last]) + 1) % 10) + code[found.end() :]
        assert not pages.same(code, other), f"{found[0]} may be anything"


EXAMPLE = ROOT / "tests" / "example_package"
SHOWN = [
    ("add-a-model.md", "toy_brains/model.py", "toy_brains/model.py"),
    ("add-a-benchmark.md", "toy_brains/benchmark.py", "toy_brains/benchmark.py"),
    ("outside-package.md", "toy/toy_brains/model.py", "toy_brains/model.py"),
    ("outside-package.md", "toy/toy_brains/benchmark.py", "toy_brains/benchmark.py"),
    ("outside-package.md", "toy/toy_brains/__init__.py", "toy_brains/__init__.py"),
    ("outside-package.md", "toy/toy_brains/smell.py", "toy_brains/smell.py"),
    ("outside-package.md", "toy/pyproject.toml", "pyproject.toml"),
]


@pytest.mark.parametrize(("page", "shown", "tested"), SHOWN, ids=[f"{page}:{shown}" for page, shown, _ in SHOWN])
def test_the_shortest_examples_are_those_that_are_installed_and_scored(page: str, shown: str, tested: str) -> None:
    files = {b.what: b.code for b in pages.blocks((DOCS / "howto" / page).read_text("utf-8")) if b.mark == "file"}
    assert files[shown] == (EXAMPLE / tested).read_text("utf-8")
