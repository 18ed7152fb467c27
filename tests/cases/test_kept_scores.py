"""A score that was kept is given back exactly as it was computed, or not at all.

Guards against: a number that an editor, a damaged disk or another program changed is shown as a score (NaN, 1.970, the
score of another benchmark); a record of wrong types ends the command; installing a package forgets all scores.
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from brainmark.core import ControlScore, DataError, Score
from brainmark.run import stamp
from brainmark.store.results import ResultStore

KEY, OTHER = "ab" + "0" * 62, "cd" + "1" * 62
ON = {"model me": "1" * 64, "numpy": "2.1"}


@pytest.fixture
def score() -> Score:
    units = xr.Dataset({"raw": ("neuroid", np.linspace(0, 1, 40))}, coords={"neuroid_id": ("neuroid", np.arange(40))})
    controls = {"shuffled": ControlScore(0.01, 0.008)}
    return Score(
        "X.V4-m", "me", 0.5, 0.4, 0.8, (0.4, 0.6), units=units, controls=controls, notes=("careful",),
        draws=np.linspace(0.4, 0.6, 100),
    )  # fmt: skip


def serve(store: ResultStore, key: str = KEY) -> Score | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return store.get(key, ON)


def forge(record, change) -> None:
    """Change the JSON of the score, and make the checksum right for it."""
    head, plain, content = record.read_bytes().partition(b"\n")[2].split(b"\n", 2)
    body = b"\n".join([head, json.dumps(change(json.loads(plain))).encode(), content])
    record.write_bytes(b"brainmark-score-2 %s\n%s" % (hashlib.sha256(body).hexdigest().encode(), body))


def test_no_single_bit_that_flips_changes_a_number(tmp_path, score):
    store = ResultStore(tmp_path)
    record = store.put(KEY, ON, score)
    content = bytearray(record.read_bytes())
    for bit in np.random.default_rng(0).choice(8 * len(content), 300, replace=False).tolist():
        content[bit // 8] ^= 1 << bit % 8
        record.write_bytes(content)
        assert serve(store) is None, bit
        content[bit // 8] ^= 1 << bit % 8
    record.write_bytes(content)
    again = serve(store)
    assert again is not None
    xr.testing.assert_identical(again.units, score.units)
    np.testing.assert_array_equal(again.draws, score.draws)


@pytest.mark.parametrize("cut", [0, 1, 30, 90, 200, 900])
def test_a_record_that_was_cut_short_or_grew_is_not_there(tmp_path, score, cut):
    store = ResultStore(tmp_path)
    record = store.put(KEY, ON, score)
    whole = record.read_bytes()
    for content in (whole[:cut], whole + b"x", whole.replace(b"0.5", b"1.9", 1), b"", b"\n" * 10, b"{}"):
        record.write_bytes(content)
        assert serve(store) is None


def test_a_record_under_the_name_of_another_score_is_not_there(tmp_path, score):
    store = ResultStore(tmp_path)
    record = store.put(KEY, ON, score)
    place = tmp_path / OTHER[:2] / OTHER / record.name
    place.parent.mkdir(parents=True)
    place.write_bytes(record.read_bytes())
    with pytest.warns(UserWarning, match="holds the score of another key"):
        assert store.get(OTHER, ON) is None
    place.write_bytes(record.read_bytes())
    place.rename(record.with_name("other-versions.score"))
    assert serve(store) is not None  # the same score, of the same key


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s | {"value": "0.5"},
        lambda s: s | {"value": None},
        lambda s: s | {"value": True},
        lambda s: s | {"value": float("nan")},
        lambda s: s | {"ceiling": float("inf")},
        lambda s: s | {"interval": [0.1]},
        lambda s: s | {"interval": "ab"},
        lambda s: s | {"notes": 3},
        lambda s: s | {"controls": []},
        lambda s: s | {"controls": {"a": {"value": 1.0}}},
        lambda s: s | {"details": {"a": "b"}},
        lambda s: s | {"stamp": {"seconds": 1}},
        lambda s: s | {"stamp": "me"},
        lambda s: s | {"subject": 1},
        lambda s: s | {"more": 1},
        lambda s: {k: v for k, v in s.items() if k != "raw"},
        lambda s: [s],
        lambda _: None,
        lambda _: 7,
    ],
)
def test_a_record_of_wrong_types_is_not_there_even_with_a_right_checksum(tmp_path, score, change):
    store = ResultStore(tmp_path)
    record = store.put(KEY, ON, score)
    forge(record, lambda plain: plain)
    assert serve(store) is not None
    forge(record, change)
    assert serve(store) is None


def test_a_score_of_a_file_names_the_field_that_is_none(score):
    with pytest.raises(DataError, match=r"not a score: value is 'high': Input should be a valid number"):
        Score.from_dict({**score.to_dict(), "value": "high"})
    with pytest.raises(DataError, match=r"not a score: controls.shuffled.raw is 'x'"):
        Score.from_dict({**score.to_dict(), "controls": {"shuffled": {"value": 0.1, "raw": "x"}}})


def test_units_that_were_damaged_after_the_score_was_read_are_an_error_and_no_numbers(tmp_path, score):
    store = ResultStore(tmp_path)
    record = store.put(KEY, ON, score)
    known = store.get(KEY, ON)
    record.write_bytes(record.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(DataError, match="is damaged, or was changed"):
        _ = known.units
    store.put(KEY, ON, replace(score, value=0.7))
    with pytest.raises(DataError, match="was changed"):
        _ = known.draws


def test_a_score_read_from_the_store_can_be_changed_and_copied_like_any_other(tmp_path, score):
    store = ResultStore(tmp_path)
    store.put(KEY, ON, score)
    noted = replace(store.get(KEY, ON), notes=("noted",))
    assert noted.to_dict() == {**score.to_dict(), "notes": ("noted",)}
    xr.testing.assert_identical(noted.units, score.units)
    store.put(KEY, ON, replace(score, units=None, draws=None))
    bare = store.get(KEY, ON)
    assert (bare.units, bare.draws) == (None, None)


def test_versions_are_those_of_packages_in_use_and_are_parsed_once(monkeypatch):
    asked = []
    monkeypatch.setattr(stamp, "PACKAGES", ("numpy", "never-imported"))
    monkeypatch.setattr(stamp.metadata, "version", lambda name: asked.append(name) or "9")
    stamp._find_version.cache_clear()
    try:
        assert "never_imported" not in sys.modules
        assert stamp.versions() == stamp.versions() == {"numpy": "9", "never-imported": "9"}
        assert stamp.versions(loaded=True) == {"numpy": "9"}
        assert asked == ["numpy", "never-imported"]
    finally:
        stamp._find_version.cache_clear()
