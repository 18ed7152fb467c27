"""Problems are collected: what a reader raises is one line of its file, and what many files share is said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brainmark.data.packaging import (
    CannotPackage,
    Problems,
    Recordings,
    Session,
    description,
    parse_description,
    prepare,
)
from brainmark.data.packaging.problems import group_by_file


@pytest.mark.parametrize("error", [KeyError("rates"), ZeroDivisionError("x\ny"), StopIteration(), UnicodeError("bad")])
def test_a_format_of_others_is_explained_as_well(tmp_path: Path, error: Exception, monkeypatch: Any) -> None:
    class Raising(Recordings):
        def read(self, path: Path, base: Path, problems: Problems) -> Session:
            raise error

    monkeypatch.setitem(description.FORMATS, "raising", Raising)
    (tmp_path / "a.raising").write_text("x")
    told = parse_description({"recording": {"format": "raising", "file": "a.raising"}}, "lab.toml")
    with pytest.raises(CannotPackage) as refusal:
        prepare(told, tmp_path, tmp_path)
    assert any("a.raising: cannot be read: " in p and "\n" not in p for p in refusal.value.problems)


def test_a_note_on_many_files_is_one() -> None:
    notes = [f"/a/run-{k}.nii: {k} of 80 voxels have no signal" for k in range(20)] + [
        "3 stimuli are alike",
        "4 stimuli are alike",
    ]
    assert group_by_file(notes)[1:] == notes[-2:]
    assert group_by_file(notes)[0].startswith(f"{notes[0]} (likewise in 19 more files: 'run-1.nii'")
