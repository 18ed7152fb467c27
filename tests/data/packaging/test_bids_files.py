"""The names of BIDS files: which events belong to which data, and which file is meant by a pattern."""

from __future__ import annotations

from pathlib import Path

from brainmark.data.packaging.bids_files import entities, fill, find_events


def test_the_nearest_events_are_taken() -> None:
    data = Path("sub-01_task-x_run-1_bold.nii")
    names = [
        "task-x_events.tsv",
        "sub-01_task-x_run-01_events.tsv",
        "sub-01_task-x_run-2_events.tsv",
        "sub-02_events.tsv",
    ]
    assert find_events(data, [Path(name) for name in names]) == [Path(names[1])]
    assert find_events(data, [Path(names[0]), Path(names[2])]) == [Path(names[0])]


def test_patterns_are_filled_with_every_way_to_write_a_number() -> None:
    own = entities(Path("sub-01_run-1_desc-a+b_bold.nii.gz"))
    assert own == {"sub": "01", "run": "1", "desc": "a+b"}
    assert fill("sub-{sub}/run-{run}.tsv", own) == [f"sub-01/run-{run}.tsv" for run in ("1", "01", "001")]
    assert fill("{ses}.tsv", own) == ["{ses}.tsv"]
