"""Text of others does nothing where it is shown, and passwords are not shown.

Guards against: a model's name that clears the terminal or sets its title, a formula in a spreadsheet, a script in a
page, a NUL that ends the report after everything was computed, the password of a mirror in a message, a table or a
report.
"""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr

from brainmark.analysis.report import render_report
from brainmark.analysis.score_tables import read_table
from brainmark.analysis.table import make_csv, make_markdown
from brainmark.cli.tables import make_leaderboard
from brainmark.cli.terminal import Terminal
from brainmark.core import BrainmarkError, ControlScore, DataError, Failure, InvalidRegistration, Score
from brainmark.core.text import show_url
from brainmark.data.fetch.places import mirrors

ESCAPE, TITLE = "\x1b[2J\x1b]0;mine\x07", "\x9b31m"
TAGS = "<script>alert(1)</script><img src=x onerror=alert(1)>"
NASTY = [
    ESCAPE, TITLE, TAGS, "nul\x00", "\u202eltr", "half \ud83d", "back\x08\x08", "\r=1+1", "$\\frac{", "a|b\n| c",
    "\u2028", "[link](javascript:alert(1))", "`code`", "&lt;b&gt;", "[red]markup[/]", ":smile:", "{{ 7 * 7 }}",
    "\ufffe",
]  # fmt: skip
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def outcomes(text: str) -> list[Score | Failure]:
    units = xr.Dataset({"raw": ("neuroid", np.linspace(0, 1, 40))})
    best = Score(
        f"Toy.V4-m{text}", f"me{text}", 0.5, 0.4, 0.8, (0.4, 0.6), units=units,
        controls={f"shuffled{text}": ControlScore(0.1, 0.1)}, notes=(f"note{text}",), details={f"detail{text}": 1.0},
    )  # fmt: skip
    return [best, Failure(f"Toy.V4-m{text}", f"other{text}", "model", f"it said {text}")]


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_name_or_reason_commands_the_terminal(text):
    console = Terminal()
    console.file, console.width = io.StringIO(), 200
    console.print(make_leaderboard(outcomes(text)))
    console.print(f"reason: {text}", markup=False)
    shown = console.file.getvalue()
    assert COMMANDS.search(shown) is None
    assert "me" in shown


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_every_name_gives_a_report_without_tags_of_its_own(text):
    page = render_report(outcomes(text), title=text)
    assert COMMANDS.search(page) is None
    page.encode()
    tags: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append((tag, dict(attrs)))
    parser.feed(page)
    assert sum(tag == "script" for tag, _ in tags) <= 1  # our own
    assert [tag for tag, given in tags if tag == "img" or "onerror" in given] == []
    assert not any("javascript:" in (given.get("href") or "") for _, given in tags)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_markdown_has_neither_tags_nor_other_columns(make_card, text):
    table = make_markdown([], outcomes(text), {f"Toy.V4-m{o}": make_card("benchmark") for o in (text,)})
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}) == 1
    assert "<script" not in table
    assert "<img" not in table
    assert "](" not in re.sub(r"\\.", "", table)


@pytest.mark.parametrize(
    "text", ['=HYPERLINK("http://x")', "+1", "-1+1|cmd", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=2"]
)
def test_a_spreadsheet_computes_no_cell(make_card, text):
    one = Score(f"{text}.V4-m", text, 0.5, 0.4, 0.8, None, controls={text: ControlScore(0.1, 0.1)})
    fails = Failure(one.benchmark, f"{text}2", "model", text)
    written = make_csv([], [one, fails], {one.benchmark: make_card("benchmark")})
    for row in csv.reader(io.StringIO(written)):
        for cell in row:
            assert cell.lstrip()[:1] not in ("=", "+", "@")
            assert not cell.lstrip().startswith("-")


def test_negative_numbers_stay_numbers_in_a_table(make_card):
    one = Score("Toy.V4-m", "me", -0.5, -0.4, 0.8, (-0.6, -0.4))
    (row,) = [
        r for r in csv.DictReader(io.StringIO(make_csv([], [one], {"Toy.V4-m": make_card("benchmark")}))) if r["raw"]
    ]
    assert (row["value"], row["low"]) == ("-0.5", "-0.6")


def test_names_of_a_table_that_is_read_are_spelt_out(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(f"model,a{ESCAPE}\nm{ESCAPE},0.5\n", encoding="utf-8", newline="")
    table, _, _ = read_table(path)
    assert table.index.tolist() == [r"m\x1b[2J\x1b]0;mine\x07"]
    assert table.columns.tolist() == [r"a\x1b[2J\x1b]0;mine\x07"]


@pytest.mark.parametrize("text", [ESCAPE, "\x00", "\u202e", "\u200b"])
def test_a_name_that_cannot_be_printed_is_not_registered(registries, make_card, text):
    with pytest.raises(InvalidRegistration, match="not printed"):
        registries["model"].add(f"me{text}", card=make_card("model"))(lambda: None)


SECRET = "hunter2"
ADDRESSES = [
    f"https://me:{SECRET}@mirror.org/data",
    f"https://{SECRET}@mirror.org/data",
    f"https://me:a@{SECRET}@mirror.org:8443/data",
    f"https://me:a/{SECRET}@mirror.org/data",
    f"https://me:{SECRET}#@mirror.org/data",
    f"s3://KEY:{SECRET}@bucket/data",
    f"postgresql://me:{SECRET}@host:5432/scores",
    f"https://mirror.org/data?token={SECRET}",
    f"https://mirror.org/data?v=2&X-Amz-Signature={SECRET}&e=1",
    f"https://mirror.org/data?sig={SECRET}",
    f"https://mirror.org/data#access_token={SECRET}",
    f"https://mirror.org/data?x={SECRET * 4}",
    f"https://me:{quote('ä' + SECRET)}@mirror.org/data",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_message_of_ours_holds_a_secret(address):
    for error in (
        DataError(f"cannot get {address!r}: 404"),
        BrainmarkError(address, 3),
        LookupError(show_url(address)),
    ):
        assert SECRET not in str(error)
    assert SECRET not in json.dumps(Failure("b", "m", "environment", f"tried {address}").to_dict())
    assert "mirror.org" in show_url(address) or "bucket" in show_url(address) or "host" in show_url(address)


@pytest.mark.parametrize("given", [*ADDRESSES, f"me:{SECRET}@mirror.org/data", f"//me:{SECRET}@mirror.org"])
def test_a_mirror_is_shown_without_its_password(monkeypatch, given):
    monkeypatch.setenv("BRAINMARK_MIRROR", given)
    for mirror in mirrors():
        assert SECRET not in mirror.given + mirror.problem
