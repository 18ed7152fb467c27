"""Numbers of experiments that cannot be are refused where they enter, with field, value and range.

Guards against widths of 1e308 degrees and negative or undefined durations that pass every check of a data set, and fail
when a model is scored, as if it were the model's fault.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from brainmark.core.errors import DataError, InvalidStimuli
from brainmark.core.experiment import Decide, Match, Prefer, Rate, Record, Setting
from brainmark.core.registry import datasets
from brainmark.data.packaging import CannotPackage, parse_description
from brainmark.data.packaging.folder import load_package


@pytest.mark.parametrize("value", [1e308, -3.0, 0, math.nan, math.inf, 1e-300, 361, "8", True, 3 + 0j, [8.0]])
@pytest.mark.parametrize("field", ["degrees", "duration", "trials", "seed"])
def test_a_setting_that_cannot_be_is_refused(field: str, value: Any) -> None:
    fits = {"seed": (0, 361), "trials": (361,), "duration": (361,), "degrees": ()}
    if not isinstance(value, bool) and value in fits[field]:
        assert getattr(Setting(**{field: value}), field) == value
        return
    with pytest.raises(InvalidStimuli, match=f"setting: {field} is .*; give a (whole )?number from "):
        Setting(**{field: value})


def test_settings_of_real_experiments_are_taken() -> None:
    for field, value in (
        ("degrees", 0.05), ("degrees", np.float32(8)), ("degrees", None), ("degrees", 180), ("duration", 16.7),
        ("duration", 3_600_000), ("trials", 44), ("trials", np.int64(3)), ("seed", 0),
    ):  # fmt: skip
        assert getattr(Setting(**{field: value}), field) == value
    with pytest.raises(InvalidStimuli):
        replace(Setting(degrees=8.0), degrees=math.nan)


@pytest.mark.parametrize(
    ("ask", "options", "message"),
    [
        (Record, {"region": "IT", "time_bins": ((0.0, math.nan),)}, "the end of time bin 0 is nan"),
        (Record, {"region": "IT", "time_bins": ((0.0, 10.0), (70.0, 60.0))}, "time bin 1 ends at 60.0 ms, not after"),
        (Record, {"region": "IT", "time_bins": ((-1e300, 0.0),)}, "the start of time bin 0 is -1e\\+300"),
        (Record, {"region": "V1", "eccentricity": -1.0}, "eccentricity is -1.0"),
        (Record, {"region": "V1", "eccentricity": math.inf}, "eccentricity is inf"),
        (Rate, {"question": "alike", "low": 7, "high": 1}, "the scale ends at 1, not above its start at 7"),
        (Rate, {"question": "alike", "low": math.nan, "high": 1}, "low is nan"),
        (Rate, {"question": "alike", "low": 1, "high": 7, "group": 0}, "group is 0"),
        (Match, {"group": 1}, "group is 1"),
        (Prefer, {"group": 2.5}, "group is 2.5"),
        (Decide, {"alternatives": ("left", "right"), "limit": -5.0}, "limit is -5.0"),
    ],
)
def test_a_question_that_cannot_be_is_refused(ask: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidStimuli, match=f"^{ask.__name__}: {message}"):
        ask(**options)


@pytest.mark.parametrize("field", ["degrees", "duration"])
@pytest.mark.parametrize("value", [1e308, -1, 0, math.nan, True, "wide"])
def test_a_description_says_which_numbers_can_be(field: str, value: Any) -> None:
    with pytest.raises(CannotPackage, match=rf"{field} is .*: give a number from 0.001 to .*, or \"unknown\""):
        parse_description({field: value}, "lab.toml")


def test_every_registered_setting_can_be() -> None:
    for name in ("Simulated.V1", "Simulated.IT-temporal"):
        if name in datasets:
            assert datasets[name].load().setting.degrees


def test_a_card_that_was_changed_is_named(tmp_path, monkeypatch) -> None:
    from brainmark.data.packaging import folder

    class Card:
        degrees, duration, context, identifier = 1e308, None, None, "Lovelace2026"

    monkeypatch.setattr(folder, "verify_package", lambda path: None)
    monkeypatch.setattr(folder, "read_card", lambda path: Card)
    with pytest.raises(DataError, match=r"card.toml: setting: degrees is 1e\+308; give a number from 0.001 to 360"):
        load_package(tmp_path)
