from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.core.errors import DataError, UnknownName
from brainmark.models.activations import kept
from brainmark.models.activations.shards import Group, list_shards

runner = CliRunner()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two models, with three and two stimuli."""
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path))
    monkeypatch.delenv(kept.LIMIT, raising=False)
    for name, count in (("alex", 3), ("vgg", 2)):
        about = {"model": name, "layer": "fc", "shape": "[4, 5, 5]"}
        digests = [hashlib.sha256(f"{name}{k}".encode()).digest() for k in range(count)]
        Group(kept.folder() / name / "fc").write(about, digests, np.ones((count, 100), np.float32))
    return kept.folder()


def run(*words: str) -> str:
    done = runner.invoke(cli.app, ["cache", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_models_layers_and_bytes_are_shown(folder: Path):
    shown = json.loads(run("--json"))
    layers = {one["model"]: one for one in shown["layers"]}
    assert (layers["alex"]["stimuli"], layers["vgg"]["stimuli"]) == (3, 2)
    assert layers["alex"]["units"] == 100
    assert shown["bytes"] == sum(path.stat().st_size for path in list_shards(folder))
    assert shown["limit"] == kept.USUAL_LIMIT
    text = run()
    assert "alex" in text
    assert "of activations are kept in" in text


def test_every_checksum_is_verified(folder: Path):
    assert "5 rows are what was written" in run("verify")
    path = list_shards(folder)[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    done = runner.invoke(cli.app, ["cache", "verify"])
    assert done.exit_code == 1
    assert "1 of 3 rows are not what was written" in done.output.replace("\n", " ")
    assert "2 rows are what was written" in run("verify")


def test_a_model_or_all_but_so_many_bytes_are_removed(folder: Path):
    assert "removed" in run("prune", "--model", "vgg")
    assert [path.parts[-3] for path in list_shards(folder)] == ["alex"]
    run("prune", "--to", "1MB")
    assert len(list_shards(folder)) == 1
    run("prune", "--all")
    assert list_shards(folder) == []
    assert json.loads(run("show", "--json"))["layers"] == []


def test_what_cannot_be_removed_is_told():
    with pytest.raises(DataError, match="say one of"):
        run("prune")
    with pytest.raises(DataError, match="'much' is no number of bytes"):
        run("prune", "--to", "much")
    with pytest.raises(UnknownName, match="did you mean 'alex'"):
        run("prune", "--model", "alexx")
    with pytest.raises(DataError, match="belong to"):
        run("verify", "--all")
