"""Recordings of movements, sounds and moving dots are packaged like those of images and texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io.wavfile

import brainmark
from brainmark.data.packaging import package, parse_description

rng = np.random.default_rng(0)
SAID: dict[str, Any] = {"file": "r.csv", "neuroids": "u*", "units": "spikes/s", "region": "M1", "subject": "Ada"}


def write_movements(folder: Path, count: int = 12) -> list[np.ndarray]:
    """Write so many movements (time, x and y), each of its own length."""
    folder.mkdir()
    movements = [rng.normal(size=(20 + k, 2)) for k in range(count)]
    for k, movement in enumerate(movements):
        np.save(folder / f"reach{k:02d}.npy", movement)
    rows = [f"reach{k:02d},{k},{-k}" for k in range(count)]
    (folder.parent / "r.csv").write_text("\n".join(["stimulus_id,u1,u2", *rows]))
    return movements


def describe(lab: Any, modality: str, domain: str, folder: str) -> dict[str, Any]:
    return lab.describe(
        SAID, stimuli={"folder": folder}, modality=modality, domain=domain, degrees=None, duration=None
    )  # fmt: skip


@pytest.mark.parametrize(("modality", "domain"), [("kinematics", "body"), ("dots", "cognition"), ("video", "vision")])
def test_arrays_are_stimuli(lab: Any, modality: str, domain: str) -> None:
    movements = write_movements(lab.folder / "moves")
    package(parse_description(describe(lab, modality, domain, "moves"), "lab.toml"), lab.folder, lab.folder / "out")
    data = brainmark.load_dataset(str(lab.folder / "out"))
    assert data.stimuli is not None and data.stimuli.modality == modality and data.card.domain == domain
    for k, movement in enumerate(movements):
        np.testing.assert_array_equal(data.stimuli.media[k], movement)
    assert data.measurement.values[:, 0].tolist() == list(range(12))
    before = data.stimuli.digest
    np.save(lab.folder / "moves" / "reach03.npy", movements[3] + 1)
    told = parse_description(describe(lab, modality, domain, "moves"), "lab.toml")
    package(told, lab.folder, lab.folder / "out", replace=True)
    assert brainmark.load_dataset(str(lab.folder / "out")).stimuli.digest != before  # type: ignore[union-attr]


def test_sounds_are_stimuli(lab: Any) -> None:
    (lab.folder / "sounds").mkdir()
    sounds = [rng.integers(-3000, 3000, 80 + k).astype(np.int16) for k in range(3)]
    for k, sound in enumerate(sounds):
        scipy.io.wavfile.write(lab.folder / "sounds" / f"s{k}.wav", 8000, sound)
    (lab.folder / "r.csv").write_text("stimulus_id,u1\ns0,1\ns1,2\ns2,3\n")
    told = parse_description(describe(lab, "audio", "audition", "sounds"), "lab.toml")
    package(told, lab.folder, lab.folder / "out")
    media = brainmark.load_dataset(str(lab.folder / "out")).stimuli.media  # type: ignore[union-attr]
    assert [media[k][0] for k in range(3)] == [8000] * 3
    for k, sound in enumerate(sounds):
        np.testing.assert_array_equal(media[k][1], sound)


def test_damaged_stimuli_are_named(lab: Any) -> None:
    write_movements(lab.folder / "moves")
    (lab.folder / "moves" / "reach03.npy").write_bytes(b"\x93NUMPY")
    np.save(lab.folder / "moves" / "reach05.npy", np.array(["text"]))
    said = {k: v for k, v in describe(lab, "kinematics", "body", "moves").items() if k != "recording"}
    problems = lab.refused(SAID, **{**said, "degrees": None, "duration": None})
    assert any("reach03.npy: cannot be read" in p for p in problems)
    assert any("reach05.npy: holds" in p and "array of numbers" in p for p in problems)


def test_a_modality_that_nobody_knows_is_refused_with_the_nearest(lab: Any) -> None:
    write_movements(lab.folder / "moves")
    (problem,) = lab.refused(SAID, modality="kinematic")
    assert "unknown modality 'kinematic'; did you mean 'kinematics'?" in problem
    (problem,) = lab.refused(SAID, modality="kinematics", domain="body", stimuli={"folder": "images"})
    assert "holds no stimuli (.npy)" in problem
    assert json.dumps(problem)
