"""Recordings as labs keep them: one neuron a file, presentation i is image i, windows of bins; each fault told once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brainmark.data.packaging import prepare
from brainmark.data.packaging.description import parse_description
from brainmark.data.packaging.problems import group_by_file

SAID: dict[str, Any] = {"units": "spikes/s", "region": "V4", "subject": "Ada"}
rng = np.random.default_rng(0)


# --- one neuron a file -----------------------------------------------------------------------------------------------


def test_one_neuron_a_file_of_arrays(lab: Any) -> None:
    values = rng.normal(size=(5, 12, 3))
    for k, one in enumerate(values):
        np.save(lab.folder / f"cell_{k:03d}.npy", one)
    np.save(lab.folder / "ids.npy", np.array(lab.ids))
    source = {
        "file": "cell_*.npy", "dims": ["presentation", "repetition"], "one_neuroid": True,
        "coords": {"stimulus_id": "ids.npy"}, **SAID,
    }  # fmt: skip
    made = lab.prepared(source).measurement
    assert made.coords["neuroid_id"].values.tolist() == [f"cell_{k:03d}" for k in range(5)]
    np.testing.assert_array_equal(made.values, values.transpose(1, 0, 2))


def test_one_neuron_a_table(lab: Any) -> None:
    for name in ("001", "1.10"):
        rows = [f"{one},{k}" for k, one in enumerate(lab.ids)]
        (lab.folder / f"{name}.csv").write_text("\n".join(["stimulus_id,value", *rows]))
    made = lab.prepared({"file": ["001.csv", "1.10.csv"], "one_neuroid": True, **SAID}).measurement
    assert made.coords["neuroid_id"].values.tolist() == ["001", "1.10"]
    assert made.values.tolist() == [[k, k] for k in range(12)]


def test_a_fault_of_all_files_is_told_once(lab: Any) -> None:
    """132 files of one neuron led to 132 equal complaints."""
    for k in range(132):
        (lab.folder / f"n{k}.csv").write_text("\n".join(["image,rate", *(f"{one},1" for one in lab.ids)]))
    problems = lab.refused({"file": "n*.csv", "region": "V4"})
    assert len(problems) < 8
    assert any("no column 'stimulus_id'" in p and "likewise in 131 more files" in p for p in problems)


def test_faults_that_differ_are_all_told() -> None:
    lines = [
        *(f"/d/a{k}.csv: line {k} has 3 fields" for k in range(5)),
        "/d/b.csv: is empty",
        "licence is missing: say it",
    ]
    told = group_by_file(lines)
    assert told[0].startswith("/d/a0.csv: line 0 has 3 fields (likewise in 4 more files: 'a1.csv', 'a2.csv', 'a3.csv'")
    assert told[1:] == lines[5:]
    assert group_by_file(lines[:2]) == lines[:2]


# --- presentation i is image i ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["number", "name"])
def test_presentation_i_is_image_i(lab: Any, how: str) -> None:
    for path in (lab.folder / "images").iterdir():
        path.unlink()
    names = [f"pic{k}" for k in range(1, 13)]
    for k, name in enumerate(names):
        lab.image(f"{name}.png", seed=k)
    np.save(lab.folder / "r.npy", np.arange(24.0).reshape(2, 12))
    source = {"file": "r.npy", "dims": ["neuroid", "presentation"], "stimuli_in_order": how, **SAID}
    made = lab.prepared(source).measurement
    right = names if how == "number" else sorted(names)
    values = dict(zip(made.coords["stimulus_id"].values.tolist(), made.values[:, 0].tolist(), strict=True))
    assert values == {name: float(k) for k, name in enumerate(right)}


def test_row_i_is_stimulus_i_of_the_table(lab: Any) -> None:
    order = lab.ids[::-1]
    lab.table("s.csv", {"stimulus_id": order, "filename": [f"{one}.png" for one in order]})
    (lab.folder / "r.csv").write_text("\n".join(["u1", *map(str, range(12))]))
    source = {"file": "r.csv", "neuroids": "u*", "stimuli_in_order": "table", **SAID}
    made = lab.prepared(source, stimuli={"table": "s.csv", "folder": "images"}).measurement
    assert made.coords["stimulus_id"].values.tolist() == order and made.values.ravel().tolist() == list(range(12))


def test_order_and_number_must_fit(lab: Any) -> None:
    np.save(lab.folder / "r.npy", np.ones((11, 2)))
    source = {"file": "r.npy", "dims": ["presentation", "neuroid"], "stimuli_in_order": "number", **SAID}
    assert any("11 presentations, but 12 stimuli" in p for p in lab.refused(source))
    np.save(lab.folder / "r.npy", np.ones((13, 2)))
    lab.image("blank.png")
    assert any("'blank' has none" in p for p in lab.refused(source))
    (lab.folder / "images" / "blank.png").rename(lab.folder / "images" / "set03.png")
    assert any("have the same number" in p for p in lab.refused(source))
    (problem,) = lab.refused({k: v for k, v in source.items() if k != "stimuli_in_order"})
    assert 'stimuli_in_order = "number" if presentation i is image i' in problem
    (problem,) = lab.refused({**source, "coords": {"stimulus_id": "r.npy"}})
    assert "said twice" in problem


# --- how long it takes -----------------------------------------------------------------------------------------------


def test_twenty_thousand_neuroids(lab: Any) -> None:
    """Names were compared with all others: 40,000 neuroids took half a minute, a million never ended."""
    np.save(lab.folder / "r.npy", rng.normal(size=(12, 20_000)).astype(np.float32))
    np.save(lab.folder / "i.npy", np.array(lab.ids))
    source = {"file": "r.npy", "dims": ["presentation", "neuroid"], "coords": {"stimulus_id": "i.npy"}, **SAID}
    told = parse_description(lab.describe(source), "lab.toml")
    assert prepare(told, lab.folder, lab.folder / "scratch").measurement.sizes["neuroid"] == 20_000
