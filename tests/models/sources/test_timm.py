"""Networks of timm."""

from __future__ import annotations

import warnings

import pytest

from brainmark.core.errors import DataError
from brainmark.models.sources.timm import Timm


@pytest.fixture(autouse=True)
def quiet():
    """What the tests want to hear they ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*layers chosen by their depth")
        yield


def test_a_tag_of_timm_without_weights_is_told():
    with pytest.raises(DataError, match="no weights of timm's resnetv2_152 are published"):
        Timm("resnetv2_152").load_trained()
