"""Descriptions, and formats that other packages add."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brainmark.data.packaging import CannotPackage, Problems, Recordings, Session, add_format, description
from brainmark.data.packaging.description import parse_description, read_description


@pytest.fixture
def json_format() -> Iterator[None]:
    @add_format("json", ".json")
    class JsonRecordings(Recordings):
        rates: str = "rates"

        def read(self, path: Path, base: Path, problems: Problems) -> Session:
            held = json.loads(path.read_text())
            if self.rates not in held:
                problems.fail(f"{path}: has no {self.rates!r}")
            units = pd.DataFrame({"neuroid_id": ["a", "b"]})
            return Session(str(path), np.array(held["images"]), np.array(held[self.rates]), units, units=self.units)

    yield
    del description.FORMATS["json"], description._SUFFIXES[".json"]  # pyright: ignore[reportPrivateUsage]


def test_a_format_may_be_added(lab: Any, json_format: None) -> None:
    rates = np.arange(24.0).reshape(12, 2)
    (lab.folder / "r.json").write_text(json.dumps({"images": lab.ids, "rates": rates.tolist()}))
    source = {"file": "r.json", "units": "Hz", "region": "V4", "subject": "Ada"}
    np.testing.assert_array_equal(lab.prepared(source).measurement.values, rates)
    assert any("has no 'other'" in p for p in lab.refused({**source, "rates": "other"}))
    assert any(
        "unknown field 'recording.0.rate'; did you mean 'rates'" in p for p in lab.refused({**source, "rate": 1})
    )


def test_all_that_is_wrong_in_a_description_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text('degres = 8\nstimuli.foldr = "x"\n[[recording]]\nfile = "a.csv"\ntime_unit = "min"\n')
    with pytest.raises(CannotPackage) as refusal:
        read_description(path)
    words = ("unknown field 'degres'; did you mean 'degrees'", "'stimuli.foldr'; did you mean 'folder'", "time_unit")
    assert all(any(word in p for p in refusal.value.problems) for word in words)
    assert len(refusal.value.problems) == 3


def test_what_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    path.write_text("degrees 8")
    with pytest.raises(CannotPackage, match="no TOML"):
        read_description(path)
    with pytest.raises(CannotPackage, match="No such file"):
        read_description(tmp_path / "gone.toml")
    with pytest.raises(CannotPackage, match="give a table"):
        parse_description({"recording": ["rates.csv"]}, "lab.toml")
