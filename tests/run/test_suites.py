"""Frozen suites: what is under one name compares, or is refused."""

from __future__ import annotations

import pytest

from brainmark.analysis.hierarchy import node_scores
from brainmark.analysis.table import describe_suites, make_markdown
from brainmark.cli.selection import benchmark_cards, select_benchmarks
from brainmark.core import InvalidRegistration, Score, UnknownName, registry
from brainmark.run import suites
from brainmark.run.suites import TABLE, list_suites

RELEASED = {
    "vision-public-1.0": "887f073e0887f1d886ec0393bbb070c7af4154d9a372a4525e56f153d03eec2c",
    "language-1.0": "8f0e1ac6e2544f7f3511e92ca2f5a8ba52cb036cc2c151ad888331f9b0228662",
    "brainscore-vision-public-1.0": "11424872f927325a824740dcfee3f34987eadf1a8285872758097b63a65265ab",
    "brainscore-language-1.0": "380cb86f9f560c9c43688f8386f4dba9a8526fa1e8169fc44fe4a0f00e381525",
}
"""Never change a line: a suite with other members or versions is another suite, with a higher number."""


def test_a_released_suite_is_never_edited():
    now = {name: suite.digest for name, suite in list_suites().items()}
    assert {name: now.get(name) for name in RELEASED} == RELEASED
    assert now.keys() == RELEASED.keys(), "a new suite needs its digest here"


@pytest.mark.parametrize("name", RELEASED)
def test_the_newest_of_each_suite_holds_today(name):
    family = name.rpartition("-")[0]
    assert any(not s.list_changes() for s in list_suites().values() if s.name.rpartition("-")[0] == family), (
        f"{list_suites()[name].list_changes()}: add the next version of {family} to suites.toml"
    )


@pytest.mark.parametrize("name", RELEASED)
def test_members_are_of_one_convention_and_count_today(name):
    cards = [registry.benchmarks[one].card for one in list_suites()[name].benchmarks]
    assert len({card.tree for card in cards}) == 1
    assert not [card for card in cards if card.superseded_by or card.visibility != "public"]
    assert not [card for card in cards if card.simulated]


@pytest.fixture
def moved(monkeypatch):
    """moved("benchmark" or "metric", name): it has another version now; None: it is gone."""

    def move(known, name, version):
        entries = dict(known._entries)
        entry = entries.pop(name)
        if version:
            entries[name] = type(entry)(
                **{**entry.__dict__, "card": entry.card.model_copy(update={"version": version})}
            )
        monkeypatch.setattr(known, "_entries", entries)

    assert "Cowley2023.V4-ridge" in registry.benchmarks
    assert "ridge" in registry.metrics
    return move


@pytest.mark.parametrize(
    ("kind", "name", "version", "told"),
    [
        ("benchmarks", "Cowley2023.V4-ridge", 98, "benchmark Cowley2023.V4-ridge has version 98 now, and had"),
        ("benchmarks", "Cowley2023.V4-ridge", None, "Cowley2023.V4-ridge is not registered any more, and had"),
        ("metrics", "ridge", 98, "metric ridge has version 98 now, and had"),
    ],
)
def test_a_suite_with_a_member_that_moved_is_refused_with_what_to_do(moved, kind, name, version, told):
    moved(getattr(registry, kind), name, version)
    with pytest.raises(InvalidRegistration, match=rf"suite vision-public-1.0: .*{told}.* install the version of brain"):
        select_benchmarks(["vision-public-1.0"])


def test_scoring_that_changed_refuses_every_suite(monkeypatch):
    monkeypatch.setattr(suites, "SCORING", 99)
    with pytest.raises(InvalidRegistration, match="scoring has version 99 now"):
        select_benchmarks(["language-1.0"])


def test_the_newer_suite_that_holds_is_named(moved, tmp_path, monkeypatch):
    text = TABLE.read_text()
    newer = text.replace("vision-public-1.0", "vision-public-1.10").replace('V4-ridge" = 1', 'V4-ridge" = 2')
    later = tmp_path / "suites.toml"
    later.write_text(text + newer.partition('["language-1.0"]')[0])
    found = list_suites(later)
    monkeypatch.setattr(suites, "list_suites", lambda: found)
    moved(registry.benchmarks, "Cowley2023.V4-ridge", 2)
    with pytest.raises(InvalidRegistration, match=r"score the suite vision-public-1\.10, or name its benchmarks"):
        found["vision-public-1.0"].check()


def test_a_suite_stands_for_its_members_and_its_means_say_so():
    names, nodes = select_benchmarks(["vision-public-1.0"])
    assert sorted(names) == sorted(list_suites()["vision-public-1.0"].benchmarks)
    assert [node.name for node in nodes] == ["average_vision@vision-public-1.0", "engineering_vision@vision-public-1.0"]
    scores = [Score(name, "me", 0.5, 0.5, 1.0, None) for name in names]
    means = node_scores(nodes, scores, benchmark_cards())
    whole = means[("average_vision@vision-public-1.0",), "me"].to_dict()
    assert (whole["node"], whole["value"], whole["known"]) == ("average_vision@vision-public-1.0", 0.5, 22)
    page = make_markdown(nodes, scores, benchmark_cards())
    assert "average_vision@vision-public-1.0" in page.replace("\\", "")
    assert "are those of the suite vision-public-1.0" in page


def test_an_average_of_no_suite_says_so():
    _, nodes = select_benchmarks(["average_vision"])
    assert describe_suites(nodes) == [
        "average_vision is of no frozen suite: it changes with the benchmarks that are registered "
        "('brainmark suites' shows suites)."
    ]
    assert describe_suites(select_benchmarks(["V4"])[1])[0].startswith("average_vision is of no frozen suite")


def test_a_name_that_is_nearly_a_suite_offers_it():
    with pytest.raises(UnknownName, match=r"did you mean 'vision-public-1\.0'"):
        select_benchmarks(["vision-public-1.1"])
