"""The tree of benchmarks: where each stands, what a node selects."""

from __future__ import annotations

import pytest

from brainmark.core import BenchmarkCard, registry
from brainmark.core.tree import REGIONS, find, names, place, study, tree

CITE = "@article{a, title = {T}, year = {2000}}"


def card(parent: str, **said) -> BenchmarkCard:
    known = {"domain": "vision", "species": ("macaque",), "region": parent, "metric": "pls", "datasets": ("D",)}
    return BenchmarkCard(summary="s", licence="MIT", cite=CITE, parent=parent, **{**known, **said})


CARDS = {
    "Cowley2023.V4-pls": card("V4"),
    "Cowley2023.V4-rdm": card("V4"),
    "Old2001.V4-pls": card("V4", superseded_by="Cowley2023.V4-pls"),
    "Ringach2002.V1-cv": card("V1"),
    "Secret2024.V1-pls": card("V1", visibility="private"),
    "Geirhos2021.edge-error_consistency": card("behavior", region="behavior"),
    "Geirhos2021.edge-top1": card("engineering", region="behavior"),
    "Known.V4-ridge": card("V4", simulated=True),
    "MajajHong2015public.IT-pls": card("IT", tree="brainscore"),
    "Futrell2018-reading": card("behavior", domain="language", region="behavior"),
}


def test_nodes_stand_in_the_order_of_the_hierarchy():
    assert ["/".join(node.path) for root in tree(CARDS) for node in root.walk() if node.children] == [
        "average_language", "average_language/behavior_language",
        "average_vision", "average_vision/neural_vision", "average_vision/neural_vision/V1",
        "average_vision/neural_vision/V4", "average_vision/behavior_vision",
        "engineering_vision", "simulated_vision",
        "brainscore_average_vision", "brainscore_average_vision/brainscore_neural_vision",
        "brainscore_average_vision/brainscore_neural_vision/brainscore_IT",
    ]  # fmt: skip


def test_a_node_selects_what_counts_below_it():
    roots = tree(CARDS)
    (average,) = find(roots, "average_vision")
    assert average.leaves() == [
        "Ringach2002.V1-cv", "Secret2024.V1-pls", "Cowley2023.V4-pls", "Cowley2023.V4-rdm",
        "Geirhos2021.edge-error_consistency",
    ]  # fmt: skip
    assert [node.superseded for node in average.walk() if node.superseded] == [
        (("Old2001.V4-pls", "Cowley2023.V4-pls"),)
    ]
    assert find(roots, "V9") == []


def test_splits_part_the_tree():
    (private,) = tree(CARDS, "private")
    assert private.leaves() == ["Secret2024.V1-pls"]
    (average,) = find(tree(CARDS, "public"), "average_vision")
    assert "Secret2024.V1-pls" not in average.leaves()


def test_a_study_in_several_places_is_found_by_name_or_by_path():
    roots = tree(CARDS)
    assert [n.path[0] for n in find(roots, "Geirhos2021")] == ["average_vision", "engineering_vision"]
    (one,) = find(roots, "engineering_vision/Geirhos2021")
    assert one.leaves() == ["Geirhos2021.edge-top1"]
    assert one.raw
    assert names(roots).count("Geirhos2021") == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MajajHong2015public.IT-pls", "MajajHong2015"), ("Geirhos2021colour-top1", "Geirhos2021"),
        ("Smith2020b.V1-pls", "Smith2020b"), ("Rajalingham2018public-i2n", "Rajalingham2018"),
        ("CIFAR10C.fog-top1", "CIFAR10C"), ("CIFAR10-top1", "CIFAR10"), ("plain", "plain"),
        ("Digits20231.V1-pls", "Digits20231"),
    ],
)  # fmt: skip
def test_studies_are_read_from_names(name, expected):
    assert study(name) == expected


def test_parents_may_be_named_in_full():
    assert place("A2000-x", card("behavior_vision", region="behavior")) == place(
        "A2000-x", card("behavior", region="behavior")
    )


def test_every_registered_benchmark_stands_in_the_tree_once_and_successors_exist():
    cards = {e.name: e.card for e in registry.benchmarks.entries()}
    leaves = [name for root in tree(cards) for name in root.leaves()]
    retired = {n: after for root in tree(cards) for node in root.walk() for n, after in node.superseded}
    assert sorted([*leaves, *retired]) == sorted(cards)
    assert set(retired.values()) <= set(leaves)
    (average,) = find(tree(cards), "average_vision")
    assert [child.name for child in average.children] == ["neural_vision", "behavior_vision"]
    assert {"V1", "V4", "IT"} <= {node.name for node in average.children[0].children}


def test_every_registered_benchmark_stands_under_a_region_or_a_branch():
    from brainmark.core import benchmarks

    odd = {e.name for e in benchmarks.entries() if e.card.parent not in (*REGIONS, "behavior", "neural", "engineering")}
    assert not {name for name in odd if not benchmarks[name].card.simulated}
