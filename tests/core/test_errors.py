"""Errors and warnings: whom they name."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from brainmark.core import InvalidStimuli, Stimuli
from brainmark.core.errors import UnknownName, suggest, warn
from brainmark.core.libraries import pd


def test_a_warning_names_the_line_of_the_one_who_called_the_package():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn("look")  # a warning that named the library would say errors.py
    assert Path(caught[0].filename) == Path(__file__)


def test_a_warning_from_deep_inside_names_the_caller_too(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_MIRROR", str(tmp_path / "not_there"))
    from brainmark.data.fetch import places  # its warning comes from frames inside the package

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        places.mirrors()
    assert [Path(w.filename) for w in caught] == [Path(__file__)] * len(caught)


def test_an_unknown_name_offers_the_nearest_and_how_to_list_all():
    error = UnknownName("region", "V44", ["V4", "IT"], " (regions: V4, IT)")
    assert str(error) == "unknown region 'V44'; did you mean 'V4'? (regions: V4, IT)"
    assert suggest("v4", ["V4", "IT"]) == ("V4",)


@pytest.mark.parametrize(("modality", "said"), [("imag", "did you mean 'image'"), ("touch", "known are image, text")])
def test_stimuli_of_a_modality_that_nobody_knows_are_refused(modality, said):
    table = pd.DataFrame({"stimulus_id": ["a"], "path": ["a.png"]})
    with pytest.raises(InvalidStimuli, match=f"stimuli 'n': modality is '{modality}'; {said}"):
        Stimuli("n", modality, table)  # accepted before, and failed where it was shown
