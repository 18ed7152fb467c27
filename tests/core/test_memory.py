"""How much memory is free: the machine, the container and the limits of the process count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from brainmark.core import memory


@pytest.mark.parametrize("version", [1, 2])
def test_containers_leave_what_their_group_or_one_around_it_leaves(tmp_path: Path, version: int):
    base = "sys/fs/cgroup" if version == 2 else "sys/fs/cgroup/memory"
    limit, used, cached = (
        ("memory.max", "memory.current", "inactive_file")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    )
    (tmp_path / "proc/self").mkdir(parents=True)
    line = "0::/outer/inner" if version == 2 else "4:cpu,memory:/outer/inner"
    (tmp_path / "proc/self/cgroup").write_text(f"{line}\n")
    for group, most in {"outer": "1000", "outer/inner": "max" if version == 2 else "5000"}.items():
        folder = tmp_path / base / group
        folder.mkdir(parents=True)
        for name, content in {limit: most, used: "700", "memory.stat": f"anon 1\n{cached} 200"}.items():
            (folder / name).write_text(content)
    assert memory._free_in_container(tmp_path) == 500  # pyright: ignore[reportPrivateUsage]
    assert memory._free_in_container(tmp_path / "nowhere") is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the address space is known on Linux only")
def test_the_limit_of_the_address_space_counts():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); "
        "from brainmark.core.memory import available_memory; print(available_memory())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(told.stdout) < 2**30


def test_memory_that_torch_keeps_on_a_device_is_free(monkeypatch: pytest.MonkeyPatch):
    figures = {"mem_get_info": (100, 1000), "memory_reserved": 600, "memory_allocated": 450}
    for name, value in figures.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert memory.available_memory(SimpleNamespace(type="cuda")) == 100 + 600 - 450  # there may be no such device


def test_what_is_held_is_less_than_the_peak_and_the_machine():
    assert 10_000_000 < memory.resident_memory() <= memory.peak_memory() * 1.1
    assert memory.peak_memory() < memory.total_memory()
