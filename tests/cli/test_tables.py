"""Nodes of the tree of benchmarks on the command line: chosen, shown, and with means."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.cli.selection import benchmark_cards, find_nodes, select_benchmarks
from brainmark.cli.show import sketch_node
from brainmark.cli.tables import make_leaderboard, make_tree_table
from brainmark.core import BenchmarkCard, UnknownName
from brainmark.core.score import ControlScore, Failure, Score, Stamp
from brainmark.core.tree import find, tree

runner = CliRunner()
CITE = "@article{a, title = {T}, year = {2000}}"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))


def test_a_node_stands_for_all_benchmarks_below_it():
    names, (node,) = select_benchmarks(["V1"])
    assert node.path == ("average_vision", "neural_vision", "V1")
    assert names == node.leaves()
    assert {benchmark_cards()[n].region for n in names} == {"V1"}


def test_names_patterns_and_nodes_together_choose_each_benchmark_once():
    inside = find_nodes("V1")[0].leaves()
    names, nodes = select_benchmarks([inside[2], "neural_vision", "V1", "DeValois*"])
    assert names[0] == inside[2]
    assert len(names) == len(set(names))
    assert [node.name for node in nodes] == ["neural_vision"], "a node below another one is shown once"


def test_the_average_holds_neither_accuracies_nor_simulations_nor_other_conventions():
    names, _ = select_benchmarks(["average_vision"])
    cards = [benchmark_cards()[n] for n in names]
    assert not any(c.simulated or c.parent == "engineering" or c.tree for c in cards)


def test_a_misspelled_node_and_an_empty_split_are_refused():
    with pytest.raises(UnknownName, match="did you mean 'neural_vision'"):
        select_benchmarks(["neural_visoin"])
    with pytest.raises(UnknownName, match="no benchmark below it is private"):
        select_benchmarks(["V1"], "private")
    with pytest.raises(UnknownName, match="did you mean 'public'"):
        select_benchmarks(["V1"], "pubic")
    assert select_benchmarks(["V1"], "public") == select_benchmarks(["V1"])


def test_show_prints_a_node_with_all_below_it():
    text = runner.invoke(cli.app, ["show", "neural_vision"]).stdout
    assert "V1" in text
    assert "    Cowley2023" in text
    (shown,) = json.loads(runner.invoke(cli.app, ["show", "V4", "--json"]).stdout)
    assert shown["path"] == "average_vision/neural_vision/V4"
    assert "Cowley2023.V4-pls" in shown["benchmarks"]


def test_score_of_a_node_has_means_in_table_and_json(monkeypatch):
    def scored(models, benchmarks, **_):
        return [Score(b, m, 0.2 + 0.1 * i, 0.2, 0.5, None) for i, b in enumerate(benchmarks) for m in models]

    monkeypatch.setattr("brainmark.cli.score.score_all", scored)
    words = ["score", "pixels", "-b", "DeValois1982"]
    table = runner.invoke(cli.app, words)
    assert table.exit_code == 0, table.output
    assert "DeValois1982" in table.stdout
    rows = json.loads(runner.invoke(cli.app, [*words, "--json"]).stdout)
    leaves = [r for r in rows if "benchmark" in r]
    (node,) = [r for r in rows if "node" in r]
    assert node["node"] == "average_vision/neural_vision/V1/DeValois1982"
    assert node["value"] == pytest.approx(sum(r["value"] for r in leaves) / len(leaves))
    assert (node["known"], node["total"], node["missing"]) == (len(leaves), len(leaves), {})


def card(**said) -> BenchmarkCard:
    return BenchmarkCard(
        summary="s", licence="MIT", cite=CITE, parent="V4", domain="vision", species=("macaque",), region="V4",
        metric="pls", datasets=("A",), **said,
    )  # fmt: skip


CARDS = {
    "A2001.V4-a": card(),
    "A2001.V4-b": card(visibility="private"),
    "A2001.V4-old": card(superseded_by="A2001.V4-a"),
}


def printed(thing, width: int = 120) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(thing)
    return console.export_text()


def test_the_table_names_gaps_controls_and_successors():
    outcomes = [
        Score("A2001.V4-a", "good", 0.5, 0.4, 0.8, (0.41, 0.62), controls={"pixels": ControlScore(0.1, 0.08)}),
        Score("A2001.V4-b", "good", 0.3, 0.24, 0.8, (0.2, 0.4), controls={"pixels": ControlScore(0.4, 0.32)}),
        Score("A2001.V4-a", "blind", 0.2, 0.2, None, None),
        Failure("A2001.V4-b", "blind", "resource", "no memory left"),
    ]
    nodes = find(tree(CARDS), "V4")
    text = printed(make_tree_table(nodes, outcomes, CARDS, 120))
    assert "0.400" in text, "mean of 0.5 and 0.3"
    assert "≤ 0.300" in text
    assert "0.41 – 0.62" in text
    assert "0.200 raw" in text
    assert "0/2" in text
    assert "A2001.V4-old: superseded by A2001.V4-a" in " ".join(text.split())
    assert "blind: no memory left (1 benchmark)" in text
    narrow = printed(make_tree_table(nodes, outcomes, CARDS, 80), 80)
    assert narrow.count("A2001.V4-a") > text.count("A2001.V4-a"), "models that do not fit get a table of their own"


def test_a_sketch_marks_what_is_private_or_superseded():
    text = printed(sketch_node(find(tree(CARDS), "V4")[0], CARDS))
    assert "A2001.V4-b  private" in text
    assert "A2001.V4-old  superseded by A2001.V4-a" in text


def test_score_writes_one_table_and_refuses_a_bad_place_before_it_computes(monkeypatch, tmp_path):
    asked = []

    def scored(models, benchmarks, **_):
        asked.append(benchmarks)
        return [Score(b, m, 0.2, 0.2, 0.5, None) for b in benchmarks for m in models]

    monkeypatch.setattr("brainmark.cli.score.score_all", scored)
    words = ["score", "pixels", "-b", "DeValois1982", "--table"]
    done = runner.invoke(cli.app, [*words, str(tmp_path / "all.md")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "all.md").read_text()
    assert text.count("0.200") == 3  # two benchmarks and their study
    assert "DeValois1982.V1-orientation" in text
    for place in (tmp_path / "all.txt", tmp_path / "gone" / "all.md"):
        assert runner.invoke(cli.app, [*words, str(place)]).exit_code == 1
    assert len(asked) == 1


def a_score(subject: str, benchmark: str, seconds: float) -> Score:
    stamp = Stamp("2026-01-01", "1.0", None, "c0de", "3.11", {}, {}, "e", "t", "m", 0, seconds, 10**9, "shipped")
    controls = {"pixels": ControlScore(0.291, 0.262)}
    return Score(benchmark, subject, 0.5, 0.45, 0.9, (0.4, 0.6), None, (0.85, 0.95), controls=controls, stamp=stamp)


@pytest.mark.parametrize(("width", "shown"), [(120, "ceiling time"), (84, "time"), (68, "")])
def test_a_leaderboard_leaves_out_columns_before_it_cuts_one(width, shown):
    outcomes = [
        a_score("resnet-50_v1:random=3", "Ringach2002.V1.summary-modulation_ratio", 3000.0),
        a_score("gabor", "Simulated.IT-ridge", 0.2),
        Failure("Simulated.IT-ridge", "hmax", "not_applicable", "hmax: no layer"),
    ]
    console = Console(width=width, file=io.StringIO())
    console.print(make_leaderboard(outcomes, width))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert max(map(len, text.splitlines())) <= width
    for whole in ("resnet-50_v1:random=3", "0.400 – 0.600", "pixels 0.291", "0.900 (0.85–0.95)"):
        assert whole in " ".join(text.split())
    heads = [line.split() for line in text.splitlines() if line.startswith(" model")]
    assert [("ceiling" in h, "time" in h) for h in heads] == [("ceiling" in shown, "time" in shown)] * 2
    assert ("50 min 0 s" in text) == ("time" in shown)
    assert " ".join(text.split()).endswith("hmax: no layer (Simulated.IT-ridge)")
