"""Untrained twins: drawn from their seed, and named by it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from brainmark.core import Experiment, Record, models
from brainmark.core.errors import InvalidModel, UnknownName
from brainmark.run.declared import digest_entry
from brainmark.testing.examples import images


@pytest.fixture(autouse=True)
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


def answer(subject, region="IT"):
    return subject.perform(Experiment(images(), Record(region))).values


def test_twins_are_drawn_from_their_seed_alone_and_leave_other_draws_as_they_were():
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002 - the global one is meant
    first, again, other = (models[f"squeezenet1_1:random{s}"].load() for s in ("", "=0", "=1"))
    assert [s.identifier for s in (first, again, other)] == ["squeezenet1_1:random"] * 2 + ["squeezenet1_1:random=1"]
    assert first.weights_digest == again.weights_digest != other.weights_digest
    np.testing.assert_array_equal(answer(first), answer(again))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_twins_have_one_name_and_a_card_that_says_what_they_are():
    entry = models["alexnet:random=0"]
    assert entry.name == "alexnet:random"
    assert entry.card.summary == "Untrained twin of alexnet: random weights, seed 0."
    assert {"untrained", "control"} <= set(entry.card.tags)
    prints = {digest_entry(models[n]) for n in ("alexnet", "alexnet:random", "alexnet:random=1")}
    assert len(prints) == 3


def test_what_has_no_trained_weights_has_no_untrained_twin():
    with pytest.raises(InvalidModel, match="'pixels' has no weights that were trained"):
        models["pixels:random"]
    with pytest.raises(UnknownName, match="unknown model 'alexnt'; did you mean 'alexnet'"):
        models["alexnt:random"]
