"""What is wrong with an installation."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def brainmark(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    import os

    code = "from brainmark.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))


def test_doctor_names_a_cache_that_cannot_be_written_and_a_missing_mirror(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = brainmark("doctor", "--json", BRAINMARK_HOME=str(blocked), BRAINMARK_MIRROR=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    broken = {f["topic"]: f for f in json.loads(done.stdout) if f["state"] == "broken"}
    assert set(broken) >= {"cache", "mirror"}
    assert "BRAINMARK_HOME" in broken["cache"]["mend"]
