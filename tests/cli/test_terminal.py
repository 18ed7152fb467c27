"""Progress in a terminal, and without one."""

from __future__ import annotations

import pytest

from brainmark.cli.terminal import print_steps


def test_progress_is_told_in_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]):
    report = print_steps("layers of mine")
    for done in range(5):
        report(done, 4)
    assert capsys.readouterr().err.splitlines() == ["layers of mine: 0 of 4", "layers of mine: 4 of 4"]
