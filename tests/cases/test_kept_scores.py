"""A score that was kept is given back exactly as it was computed, or not at all.

Guards against: a number that an editor, a damaged disk or another program changed is shown as a score (NaN, 1.970, the
score of another benchmark); a record of wrong types ends the command; installing a package forgets all scores.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from sqlalchemy import select, update

from brainmark.core import ControlScore, DataError, Score
from brainmark.run import stamp
from brainmark.store.database import close_databases
from brainmark.store.results import ResultStore, checksum_of, digest_of, key_of
from brainmark.store.schema import scores

KEY = key_of("me", "X.V4-m", "committed")
ON = {"model me": "1" * 64, "numpy": "2.1"}


@pytest.fixture
def store(tmp_path) -> Iterator[ResultStore]:
    yield ResultStore.open(f"sqlite:///{tmp_path / 'scores.sqlite'}")
    close_databases()


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


def forge(store: ResultStore, change) -> None:
    """Change the JSON of the score, and make the checksums right for it."""
    with store.engine.begin() as connection:
        row = connection.execute(select(scores)).one()._asdict()
        plain = json.loads(row["record"])
        row["record"] = json.dumps(plain | {"outcome": change(plain["outcome"])})
        row["record_digest"] = digest_of(row["record"].encode())
        connection.execute(update(scores).values(**row | {"checksum": checksum_of(row)}))


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
def test_a_record_of_wrong_types_is_not_there_even_with_a_right_checksum(store, score, change):
    store.put(ON, score)
    forge(store, lambda plain: plain)
    assert serve(store) is not None
    forge(store, change)
    assert serve(store) is None


def test_a_score_of_a_file_names_the_field_that_is_none(score):
    with pytest.raises(DataError, match=r"not a score: value is 'high': Input should be a valid number"):
        Score.from_dict({**score.to_dict(), "value": "high"})
    with pytest.raises(DataError, match=r"not a score: controls.shuffled.raw is 'x'"):
        Score.from_dict({**score.to_dict(), "controls": {"shuffled": {"value": 0.1, "raw": "x"}}})


def test_a_score_read_from_the_store_can_be_changed_and_copied_like_any_other(store, score):
    store.put(ON, score)
    noted = replace(store.get(KEY, ON), notes=("noted",))
    assert noted.to_dict() == {**score.to_dict(), "notes": ("noted",)}
    xr.testing.assert_identical(noted.units, score.units)
    store.put({"numpy": "3"}, replace(score, units=None, draws=None))
    bare = store.get(KEY, {"numpy": "3"})
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
