"""``brainmark package`` and the commands that take a packaged data set by its path."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from brainmark.cli.app import app
from brainmark.cli.package import TEMPLATES, merge_fields, read_template
from brainmark.core.errors import UnknownName
from brainmark.data.packaging import CannotPackage, parse_description

CITE = "@misc{lovelace2026, title = {Rates}, author = {Lovelace, Ada}, year = {2026}}"
FLAGS = [
    "--identifier", "Lovelace2026", "--summary", "Four units.", "--licence", "CC0-1.0", "--cite", CITE,
    "--species", "macaque", "--degrees", "8", "--duration", "100", "--stimuli", "images", "--region", "V4",
    "--subject", "Ada", "--units", "spikes/s", "--set", "recording.neuroids='u*'",
]  # fmt: skip


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images and a table of trials, in which commands run."""
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    Path("images").mkdir()
    signal = generator.normal(size=(60, 4))
    rows: list[dict[str, Any]] = []
    for k in range(60):
        Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(f"images/im{k:02d}.png")
        values = signal[k] + 0.5 * generator.normal(size=(3, 4))
        rows += [{"stimulus_id": f"im{k:02d}", **{f"u{n}": v for n, v in enumerate(trial)}} for trial in values]
    pd.DataFrame(rows).to_csv("rates.csv", index=False)
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_flags_alone_are_a_description() -> None:
    done = run("package", "rates.csv", *FLAGS)
    assert done.exit_code == 0, done.output
    assert "60 presentations, 4 neuroids, 3 repetitions" in done.output and "written: Lovelace2026" in done.output
    assert Path("Lovelace2026/measurement.nc").is_file()


def test_a_description_with_changes() -> None:
    told = {k: v for k, v in tomllib.loads(read_template("table")).items() if k not in ("recording", "cite_file")}
    lines = [f"{k} = {json.dumps(v)}" for k, v in told.items() if k != "stimuli"]
    lines += [f"cite = '{CITE}'", "[stimuli]", 'folder = "../images"', "[[recording]]", 'file = "../rates.csv"']
    lines += ['neuroids = "u*"', 'units = "Hz"', 'region = "V4"', 'subject = "Ada"']
    Path("about").mkdir()
    Path("about/lab.toml").write_text("\n".join(lines))
    done = run("package", "about/lab.toml", "-o", "out", "--region", "IT", "--degrees", "unknown", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["regions"] == ["IT"] and made["folder"] == "out"
    assert {"out:IT-ridge", "out:IT-pls"} <= set(made["benchmarks"])
    card = tomllib.loads(Path("out/card.toml").read_text())
    assert "degrees" not in card and card["sources"].keys() == {"../rates.csv"}


def test_a_dry_run_writes_nothing() -> None:
    done = run("package", "rates.csv", *FLAGS, "--dry-run")
    assert done.exit_code == 0 and "nothing was written" in done.output
    assert not Path("Lovelace2026").exists()


def test_what_is_missing_is_listed_and_nothing_is_written() -> None:
    done = run("package", "rates.csv", "--set", "recording.neuroids='u*'")
    assert isinstance(done.exception, CannotPackage)
    problems = "\n".join(done.exception.problems)
    for word in (
        "identifier",
        "licence",
        "cite",
        "species",
        "degrees",
        "duration",
        "stimuli",
        "region",
        "subject",
        "units",
    ):
        assert word in problems
    assert sorted(p.name for p in Path().iterdir()) == ["images", "rates.csv"]


def test_shown_checked_and_scored_by_its_path() -> None:
    assert run("package", "rates.csv", *FLAGS, "-o", "mine").exit_code == 0
    sheet = json.loads(run("show", "mine", "--json").stdout)
    assert sheet["kind"] == "dataset" and sheet["facts"]["identifier"] == "Lovelace2026"
    assert "mine:V4-ridge" in sheet["facts"]["benchmarks"]
    page = run("show", "mine:V4-ridge", "--html", "page.html")
    assert page.exit_code == 0 and "ceiling" in page.output and Path("page.html").stat().st_size > 1000
    checked = run("check", "mine")
    assert checked.exit_code == 0 and "0 failed" in checked.output
    scored = run("score", "pixels", "-b", "mine", "-b", "mine:V4-cka", "--json", "--html", "report.html")
    assert scored.exit_code == 0, scored.output
    assert [o["benchmark"] for o in json.loads(scored.stdout)] == ["mine:V4-ridge", "mine:V4-pls", "mine:V4-cka"]
    assert "CC0-1.0" in Path("report.html").read_text()


def test_names_that_are_nearly_right() -> None:
    run("package", "rates.csv", *FLAGS, "-o", "mine")
    for words in (("score", "pixels", "-b", "mine:V4-rigde"), ("show", "mine:V4-rigde"), ("check", "mine:V4-rigde")):
        done = run(*words)
        assert isinstance(done.exception, UnknownName) and "did you mean 'V4-ridge'" in str(done.exception), words
    assert isinstance(run("score", "pixels", "-b", "mini").exception, UnknownName)


def test_a_changed_file_is_a_failure_and_no_score() -> None:
    run("package", "rates.csv", *FLAGS, "-o", "mine")
    assert run("score", "pixels", "-b", "mine").exit_code == 0
    image = Path("mine/stimuli/im00.png")
    image.write_bytes(Path("mine/stimuli/im01.png").read_bytes())
    done = run("score", "pixels", "-b", "mine", "--json")
    assert done.exit_code == 1
    assert all("im00.png was changed" in o["reason"] for o in json.loads(done.stdout))


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_are_descriptions(name: str) -> None:
    done = run("package", "--template", name)
    assert done.exit_code == 0
    told = parse_description(tomllib.loads(done.stdout), name)
    assert told.recording and told.licence
    uncommented = done.stdout.replace("\n# ", "\n")
    assert parse_description(tomllib.loads(uncommented), name), "what is commented out is known too"


def test_an_unknown_template() -> None:
    refused = run("package", "--template", "nbw").exception
    assert isinstance(refused, UnknownName) and "did you mean 'nwb'" in str(refused)


def test_settings_reach_every_recording() -> None:
    settings = ["recording.stimulus=image", "stimuli.same_width=true", "scale=[1, 7]"]
    told, base = merge_fields([Path("a.csv"), Path("b.csv")], {"region": "V4", "units": None}, settings)
    assert told == {
        "recording": [{"file": [f"{n}.csv"], "region": "V4", "stimulus": "image"} for n in "ab"],
        "stimuli": {"same_width": True},
        "scale": [1, 7],
    }
    assert base == Path()
    with pytest.raises(CannotPackage, match="field=value"):
        merge_fields([], {}, ["region"])
