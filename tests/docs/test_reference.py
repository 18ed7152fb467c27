"""The reference is written from the code: all names and commands are there, and nothing else is promised."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from brainmark import core

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import one_line_fields  # noqa: E402
import registered  # noqa: E402

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES = [p for p in PAGES if "_build" not in p.parts]
COMMAND = re.compile(r"(?<![\w./-])brainmark ((?:--)?[a-z][a-z-]*)([^`\n]*)")


@pytest.mark.parametrize("kind", ["models", "datasets", "metrics", "benchmarks"])
def test_a_listing_holds_every_name(kind: str) -> None:
    listing = registered.listing(kind)
    for entry in getattr(core, kind).entries():
        assert f"## `{entry.name}`\n\n{entry.card.summary}" in listing
        assert entry.card.licence in listing


def commands() -> dict[str, set[str]]:
    """Command -> its options, from the page that is written from the code."""
    found: dict[str, set[str]] = {}
    for section in registered.commands().split("## `brainmark")[1:]:
        name, _, rest = section.partition("`")
        found[name.strip()] = set(re.findall(r"`(--?[\w-]+)`", rest)) | {"--help", "-h"}
    return found


def test_the_commands_page_holds_every_command() -> None:
    from brainmark.cli.app import COMMANDS

    assert set(COMMANDS) <= set(commands())
    assert "--benchmark" in commands()["score"]


def unknown_commands(text: str) -> list[str]:
    """Commands and options in code spans and blocks that the command line does not have."""
    known, found = commands(), []
    code = "\n".join(re.findall(r"^```(?:bash|text)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for name, rest in COMMAND.findall(code + "\n" + "\n".join(re.findall(r"`(brainmark [^`\n]+)`", text))):
        options = set(re.findall(r"(?<=\s)--?[a-z][\w-]*", rest.split("#")[0]))
        if name.startswith("--"):
            found += [] if name in known[""] else [f"brainmark {name}"]
        elif name not in known:
            found.append(f"brainmark {name}")
        else:
            found += [f"brainmark {name} {o}" for o in sorted(options - known[name])]
    return found


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_pages_show_commands_that_exist(page: Path) -> None:
    assert unknown_commands(page.read_text("utf-8")) == []


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    assert unknown_commands("`brainmark fly`\n```bash\nbrainmark list models --colour x\n```\n") == [
        "brainmark list --colour",
        "brainmark fly",
    ]


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_pages_name_variables_that_exist(page: Path) -> None:
    source = "\n".join(p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py"))
    assert {v for v in re.findall(r"\bBRAINMARK_[A-Z]+\b", page.read_text("utf-8")) if v not in source} == set()


def test_fields_on_one_line_get_their_words_as_description() -> None:
    lines = [
        "Do it.",
        "",
        "Parameters",
        "----------",
        "a, b : both of them,",
        "    in order.",
        "",
        "Notes",
        "-----",
        "x : y",
    ]
    assert one_line_fields.move_words(lines)[4:7] == ["a, b", "    both of them,", "    in order."]
    assert one_line_fields.move_words(lines)[-1] == "x : y"


def test_magnitudes_keep_their_bars() -> None:
    assert one_line_fields.plain_bars("1 - |a - h| / c, ``x | y``") == r"1 - \|a - h\| / c, ``x | y``"


def test_the_page_of_descriptions_holds_every_field_as_the_command_prints_it() -> None:
    """Write it anew: brainmark package --fields, below the first paragraph of the page."""
    from brainmark.data.packaging.description import FORMATS, Description, StimulusPart
    from brainmark.data.packaging.fields import list_fields

    page = (ROOT / "docs" / "reference" / "descriptions.md").read_text("utf-8")
    assert page.endswith(f"\n\n{list_fields()}"), "the page is older than the fields"
    for part in (Description, StimulusPart, *FORMATS.values()):
        for name, field in part.model_fields.items():
            if name in ("stimuli", "recording"):
                continue
            assert field.description, f"{part.__name__}.{name} has no description"
            assert f"| `{name}` |" in page
