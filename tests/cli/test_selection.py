"""What names at the prompt choose."""

from __future__ import annotations

import pytest

from brainmark.cli.selection import select_names
from brainmark.core import UnknownName, registry


def test_patterns_choose_several_names_and_an_empty_one_is_refused():
    chosen = select_names(registry.benchmarks, ["Simulated.IT-rid*", "Simulated.IT-ridge"])
    assert chosen == ["Simulated.IT-ridge"]
    with pytest.raises(UnknownName, match="unknown benchmark pattern 'Nobody"):
        select_names(registry.benchmarks, ["Nobody*"])
