"""A description of recordings is checked as a whole before anything is packaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from brainmark.cli.app import app
from brainmark.testing.description_checks import check_description, is_description


def write(lab: Any, **fields: Any) -> Path:
    """Write the lab's description as TOML."""
    rows = {"file": "rates.csv", "neuroids": "u*", "units": "spikes/s", "region": "V4", "subject": "Ada"} | fields
    said = {k: v for k, v in lab.said.items() if k != "stimuli"}
    lines = [f"{k} = {json.dumps(v)}" for k, v in said.items()] + ['[stimuli]\nfolder = "images"\n[[recording]]']
    path = lab.folder / "lab.toml"
    path.write_text("\n".join([*lines, *(f"{k} = {json.dumps(v)}" for k, v in rows.items())]))
    return path


def test_a_whole_description_passes(lab: Any) -> None:
    lab.trials()
    (result,) = check_description(str(write(lab)))
    assert result.outcome == "passed" and result.kind == "description"
    assert not (lab.folder / "Lovelace2026").exists()


def test_every_problem_is_a_failed_check(lab: Any) -> None:
    lab.table("rates.csv", lab.trials().assign(u1=np.nan, u2="fast"))
    del lab.said["licence"]
    (lab.folder / "images" / "im03.png").write_bytes(b"no image")
    results = check_description(str(write(lab)))
    assert {r.outcome for r in results} == {"failed"}
    for words in ("licence is missing", "holds 'fast' in line 2", "im03.png"):
        assert sum(words in r.message for r in results) == 1, [r.message for r in results]


def test_models_described_in_toml_are_no_descriptions_of_recordings(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text('["mine"]\nsource = "torchvision/resnet18"\n')
    assert not is_description(str(tmp_path / "models.toml")) and not is_description("gabor")


def test_the_command_tells_a_reason_once(lab: Any) -> None:
    lab.trials()
    run = CliRunner().invoke
    path = write(lab)
    assert run(app, ["check", str(path)]).exit_code == 0
    folder = lab.folder / "out"
    assert run(app, ["package", str(path), "-o", str(folder)]).exit_code == 0
    (folder / "stimuli.csv").write_text("changed")
    (folder / "stimuli" / "im00.png").unlink()
    done = run(app, ["check", str(folder)])
    shown = " ".join(done.output.split())
    assert done.exit_code == 1
    assert shown.count("stimuli/im00.png is missing; stimuli.csv was changed") == 2, "once, and once for all others"
    assert "2 more checks for the same reason" in shown and shown.count("the benchmark does not load") == 2
