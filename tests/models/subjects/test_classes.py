from __future__ import annotations

import numpy as np
import pytest

from brainmark.core.errors import NotApplicable
from brainmark.models.subjects.classes import entry_levels, imagenet_classes, positions_of


def test_classes_are_in_the_usual_order():
    classes = imagenet_classes()
    assert len(classes) == 1000
    ids = [c.wnid for c in classes]
    assert ids == sorted(set(ids))
    known = {
        0: "tench",
        1: "goldfish",
        207: "golden retriever",
        281: "tabby",
        508: "computer keyboard",
        817: "sports car",
    }
    assert {i: classes[i].words[0] for i in known} == known
    assert classes[999].wnid == "n15075141"


def test_agrees_with_the_order_of_torchvision_and_timm():
    from brainmark.core.errors import MissingDependency
    from brainmark.models.sources.torch_libraries import UnusableLibrary, timm

    try:
        timm()
    except (MissingDependency, UnusableLibrary):
        pytest.skip("timm is not installed")
    from timm.data import ImageNetInfo

    assert ImageNetInfo().label_names() == [c.wnid for c in imagenet_classes()]


def test_entry_levels_have_the_published_sizes():
    """Geirhos et al. 2019: 207 of the 1000 classes fall into 16 categories."""
    sizes = {entry: len(positions) for entry, positions in entry_levels().items()}
    assert sizes == {
        "airplane": 1, "bear": 4, "bicycle": 2, "bird": 49, "boat": 5, "bottle": 7, "car": 3, "cat": 6, "chair": 4,
        "clock": 3, "dog": 109, "elephant": 2, "keyboard": 2, "knife": 1, "oven": 1, "truck": 8,
    }  # fmt: skip
    everything = np.concatenate([np.array(p) for p in entry_levels().values()])
    assert len(set(everything.tolist())) == len(everything) == 207


def test_a_label_is_an_id_a_word_or_a_category():
    found = positions_of(
        ("n01443537", "Carassius auratus", "goldfish, Carassius auratus", "GOLDFISH", "bear"), "imagenet", "net"
    )
    assert [f.tolist() for f in found] == [[1], [1], [1], [1], [294, 295, 296, 297]]


def test_a_word_of_several_classes_is_asked_back():
    with pytest.raises(NotApplicable, match=r"'crane', which several.*n02012849 \(crane\) or n03126707 \(crane\)"):
        positions_of(("crane",), "imagenet", "net")


def test_a_word_of_three_classes_names_all_of_them():
    shared = [c.wnid for c in imagenet_classes() if "horn" in c.words]
    assert len(shared) > 1
    with pytest.raises(NotApplicable, match=" or ".join(rf"{wnid} \([^)]*\)" for wnid in shared)):
        positions_of(("horn",), "imagenet", "net")


def test_what_the_head_does_not_name_says_what_it_names():
    with pytest.raises(
        NotApplicable, match=r"net cannot choose 'elefant'.*airplane, bear.*truck; the nearest are 'elephant'"
    ):
        positions_of(("dog", "elefant"), "imagenet", "net")
    with pytest.raises(NotApplicable, match=r"cannot choose 'deer': its head names cat, dog$"):
        positions_of(("deer",), ("cat", "dog"), "net")


def test_names_of_other_heads_are_taken_literally():
    assert [p.tolist() for p in positions_of(("ship", "bird"), ("bird", "deer", "ship"), "net")] == [[2], [0]]
    with pytest.raises(NotApplicable, match=r"its head names 0, 1, .* and 80 more"):
        positions_of(("no such",), [str(i) for i in range(100)], "net")
