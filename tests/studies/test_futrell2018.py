"""Futrell 2018: readers of the Natural Stories, as published."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from brainmark.core.dataset import Dataset
from brainmark.metrics.language.reading import reliability_ceiling

pytestmark = pytest.mark.realdata


def test_natural_stories_are_complete(study: Callable[[str], Dataset]) -> None:
    found = study("Futrell2018.natural_stories")
    assert found.measurement.size == 10256
    assert np.isfinite(found.measurement.values).all()
    assert len(set(found.measurement["story"].values)) == 10
    readers = found.measurement["readers"].values
    assert (readers.min(), readers.max()) == (62, 97)
    assert reliability_ceiling()(found.measurement).details["reliability"] == pytest.approx(0.83, abs=0.005)
