"""The table in a file: every outcome in its place, what is missing said, CSV and Markdown alike."""

from __future__ import annotations

import csv
import io

import pytest

from brainmark.analysis.table import COLUMNS, make_csv, make_markdown, write_table
from brainmark.core import BenchmarkCard, ResourceError
from brainmark.core.score import ControlScore, Failure, Score
from brainmark.core.tree import tree

CITE = "@article{a, title = {T}, year = {2000}}"


def card(parent: str) -> BenchmarkCard:
    return BenchmarkCard(
        summary="s", licence="MIT", cite=CITE, parent=parent, domain="vision", species=("macaque",), region=parent,
        metric="pls", datasets=(f"{parent}-data",),
    )  # fmt: skip


CARDS = {"A2001.V4-pls": card("V4"), "B2002.V4-pls": card("V4"), "C2003.IT-pls": card("IT")}
ROOTS = tree(CARDS)


def score(benchmark: str, model: str, value: float, control: float = 0.1, ceiling: float | None = 0.5) -> Score:
    interval = (value - 0.05, value + 0.1)
    controls = {"shuffled": ControlScore(control, control), "pixels": ControlScore(0.05, 0.05)}
    return Score(benchmark, model, value, value / 2, ceiling, interval, controls=controls)


OUTCOMES = [
    score("A2001.V4-pls", "one", 0.4),
    score("A2001.V4-pls", "two", 0.08),
    score("B2002.V4-pls", "one", 0.6, ceiling=None),
    Failure("B2002.V4-pls", "two", "not_applicable", "two commits to no V4"),
    Failure("C2003.IT-pls", "one", "no_data", "neither | cache\nnor mirror"),
    Failure("C2003.IT-pls", "two", "resource", "out of memory"),
]


def cells(text: str) -> dict[str, list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    table = [
        [c.strip() for c in row.replace("\\|", "¦").replace("&nbsp;", " ").strip("|").split(" | ")] for row in rows
    ]
    assert {len(row) for row in table} == {len(table[0])}
    return {row[0].replace("&ensp;", "").strip("*"): row[1:] for row in table}


def test_markdown_has_every_outcome_in_its_place():
    table = cells(make_markdown(ROOTS, OUTCOMES, CARDS))
    assert table[""] == ["ceiling", "best control", "one", "two"]
    assert table["A2001.V4-pls"] == [
        "0.500", "0.100 shuffled", "0.400<br>0.35 to 0.50", "≤ 0.080<br>0.03 to 0.18",
    ]  # fmt: skip
    assert table["B2002.V4-pls"] == ["none", "0.100 shuffled", "0.600 raw<br>0.55 to 0.70", "not applicable"]
    assert table["C2003.IT-pls"] == ["", "", "no data", "failed (resource)"]


def test_an_end_that_rounds_to_zero_has_no_sign():
    low = Score("A2001.V4-pls", "one", 0.1, 0.1, 0.5, (-0.001, 0.2))
    assert cells(make_markdown(ROOTS, [low], CARDS))["A2001.V4-pls"][2] == "0.100<br>0.00 to 0.20"


def test_nodes_have_means_and_say_how_many_benchmarks_they_rest_on():
    table = cells(make_markdown(ROOTS, OUTCOMES, CARDS))
    assert table["V4"][2:] == ["**0.400**", "**≤ 0.080** 1/2"], "what no model can have, a ceiling, is not missing"
    assert table["IT"][2:] == ["0/1", "0/1"]
    assert table["average_vision"][2:] == ["**0.400** 1/3", "**≤ 0.080** 1/3"]


def test_reasons_stand_below_the_table_each_once():
    outcomes = [*OUTCOMES, Failure("A2001.V4-pls", "three", "not_applicable", "no V4")]
    outcomes.append(Failure("B2002.V4-pls", "three", "not_applicable", "no V4"))
    below = make_markdown(ROOTS, outcomes, CARDS).split("\n\n")[1]
    assert "- three: not applicable on A2001.V4-pls, B2002.V4-pls: no V4" in below
    assert "- two: failed (resource) on C2003.IT-pls: out of memory" in below
    assert below.count("- ") == 4


def test_benchmarks_below_no_node_stand_in_the_tree_of_their_own():
    v4 = next(node for node in ROOTS[0].walk() if node.name == "V4")
    table = cells(make_markdown([v4], OUTCOMES, CARDS))
    names = list(table)
    assert (
        names.index("average_vision / neural_vision / V4") < names.index("A2001.V4-pls") < names.index("average_vision")
    )
    assert "C2003.IT-pls" in table


def test_csv_has_a_line_for_each_place_and_model_in_full_precision():
    rows = list(csv.DictReader(io.StringIO(make_csv(ROOTS, OUTCOMES, CARDS))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * sum(1 + len(node.benchmarks) for node in ROOTS[0].walk())
    by = {(r["place"].rpartition("/")[2], r["model"]): r for r in rows}
    one = by["A2001.V4-pls", "one"]
    assert [float(one[c]) for c in ("value", "low", "high", "raw", "ceiling")] == [
        0.4, 0.4 - 0.05, 0.5, 0.2, 0.5,
    ]  # fmt: skip
    assert (one["control"], one["control_name"]) == ("0.1", "shuffled")
    assert by["B2002.V4-pls", "one"]["ceiling"] == ""
    gone = by["C2003.IT-pls", "one"]
    assert (gone["value"], gone["missing"], gone["reason"]) == ("", "no data", "neither | cache\nnor mirror")
    assert (by["V4", "two"]["known"], by["V4", "two"]["total"], by["V4", "two"]["missing"]) == (
        "1", "2", "1 not applicable",
    )  # fmt: skip


def test_the_ending_says_the_format_and_another_is_refused(tmp_path):
    for name, written in (("a.md", make_markdown), ("a.csv", make_csv)):
        path = write_table(tmp_path / name, ROOTS, OUTCOMES, CARDS)
        assert path.read_text() == written(ROOTS, OUTCOMES, CARDS)
    with pytest.raises(ResourceError, match=r"must end in one of \.md, \.csv"):
        write_table(tmp_path / "a.html", ROOTS, OUTCOMES, CARDS)
    with pytest.raises(ResourceError, match="cannot write the table"):
        write_table(tmp_path / "a.md" / "b.md", ROOTS, OUTCOMES, CARDS)
