"""What names at the prompt choose."""

from __future__ import annotations

import pytest

from brainmark.cli.selection import check_folder, select_benchmarks, select_names
from brainmark.core import DataError, UnknownName, registry


def test_patterns_choose_several_names_and_an_empty_one_is_refused():
    chosen = select_names(registry.benchmarks, ["Simulated.IT-rid*", "Simulated.IT-ridge"])
    assert chosen == ["Simulated.IT-ridge"]
    with pytest.raises(UnknownName, match="unknown benchmark pattern 'Nobody"):
        select_names(registry.benchmarks, ["Nobody*"])


def test_a_path_that_leads_to_no_packaged_data_set_says_so(tmp_path):
    for name in (f"{tmp_path}/nope", f"{tmp_path}/nope:V4-ridge", "./nope"):
        with pytest.raises(DataError, match="there is no such folder"):
            select_benchmarks([name])
    with pytest.raises(DataError, match=r"it holds no card\.toml"):
        select_benchmarks([str(tmp_path)])
    check_folder("Cowley2023.V4")  # no path
