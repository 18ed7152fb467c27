"""Plug-ins: found through entry points, loaded once, and harmless when broken."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from brainmark.core import registry

CARD = """
from brainmark.core import ModelCard, models
CARD = ModelCard(summary="toy", licence="MIT", cite="@misc{a, title={b}}", domain="vision", family="toy", regions=())
"""
GOOD = CARD + "models.add('plugged', card=CARD)(lambda: None)\n"


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch, registries) -> Callable[[str, str], None]:
    """plug_in(name, code) makes a module with an entry point; our rooms are empty, and nothing is discovered yet."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_discovered", False)
    monkeypatch.setattr(registry, "ROOMS", {})

    def add(name: str, code: str, value: str = "") -> None:
        module = f"plug_in_{name}"
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[brainmark]\n{name} = {value or module}\n")

    return add


def test_a_plug_in_is_loaded_when_the_registry_is_first_asked(plug_in):
    plug_in("good", GOOD)
    assert "plug_in_good" not in sys.modules
    assert list(registry.models) == ["plugged"]
    assert registry.models["plugged"].module == "plug_in_good"
    assert registry.broken_plugins == {}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import not_installed_library", "ModuleNotFoundError: No module named 'not_installed_library'"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("raise SystemExit(2)", "SystemExit: 2"),
        (
            CARD + "models.add('a b', card=CARD)(lambda: None)",
            "model 'a b' (plug_in_bad.<lambda>): a name must not contain white",
        ),
        (CARD + "models.add('plugged', card=CARD)(lambda: None)", "the name is taken by plug_in_a_good.<lambda>"),
        (CARD.replace("regions=()", "regions=(), colour='red'"), "ModelCard: unknown field 'colour'"),
    ],
)
def test_a_broken_plug_in_is_a_warning_and_the_rest_works(plug_in, code, reason):
    plug_in("a_good", GOOD)
    plug_in("bad", code)
    plug_in("later", GOOD.replace("plugged", "later"))
    with pytest.warns(UserWarning, match=r"plug-in 'bad' \(plug_in_bad\) is left out: ") as caught:
        assert list(registry.models) == ["later", "plugged"]
    assert len(caught) == 1
    assert list(registry.broken_plugins) == ["bad = plug_in_bad"]
    assert reason in registry.broken_plugins["bad = plug_in_bad"]


def test_an_entry_point_to_a_module_that_is_not_there(plug_in):
    plug_in("gone", "", value="no_such_module_of_ours")
    with pytest.warns(UserWarning, match="plug-in 'gone'"):
        registry.discover()
    assert "No module named 'no_such_module_of_ours'" in registry.broken_plugins["gone = no_such_module_of_ours"]


def test_plug_ins_that_need_names_of_later_ones_are_tried_again(plug_in):
    plug_in("a", CARD + "models['of_b']\n" + GOOD.replace("plugged", "of_a"))
    plug_in("b", CARD + "models['of_c']\n" + GOOD.replace("plugged", "of_b"))
    plug_in("c", GOOD.replace("plugged", "of_c"))
    assert list(registry.models) == ["of_a", "of_b", "of_c"]
    assert registry.broken_plugins == {}


def test_a_plug_in_whose_name_nobody_brings_is_left_out_once(plug_in):
    plug_in("bad", "from brainmark.core import models\nmodels['of_nobody']\n")
    plug_in("good", GOOD)
    with pytest.warns(UserWarning, match="plug-in 'bad' .* unknown model 'of_nobody'") as caught:
        assert list(registry.models) == ["plugged"]
    assert len(caught) == 1
    assert list(registry.broken_plugins) == ["bad = plug_in_bad"]


def test_discovery_happens_once(plug_in):
    plug_in("bad", "raise RuntimeError('once')")
    with pytest.warns(UserWarning, match="RuntimeError: once"):
        registry.discover()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.discover()
        assert list(registry.models) == []


def test_a_plug_in_may_ask_a_registry_while_it_is_loaded(plug_in):
    plug_in("asks", GOOD + "assert 'plugged' in models\n")
    assert list(registry.models) == ["plugged"]
    assert registry.broken_plugins == {}


def test_an_interrupt_stops_the_discovery_until_it_is_asked_again(plug_in, tmp_path):
    plug_in("slow", "raise KeyboardInterrupt")
    plug_in("then", GOOD)
    with pytest.raises(KeyboardInterrupt):
        registry.discover()
    assert registry.broken_plugins == {}
    (tmp_path / "plug_in_slow.py").write_text("")
    assert list(registry.models) == ["plugged"]  # asked again, it goes on


def test_an_error_in_a_room_of_our_own_is_raised_every_time(plug_in, monkeypatch):
    monkeypatch.setattr(registry, "ROOMS", {"model": ["brainmark.no_such_room"]})
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_room"):
            registry.discover()


def test_several_threads_discover_once(plug_in):
    plug_in("good", "import time; time.sleep(0.05)\n" + GOOD)
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(list(registry.models))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["plugged"]] * 4


def test_a_room_of_a_plug_in_is_imported_for_its_kind_alone(plug_in, monkeypatch, tmp_path):
    (tmp_path / "far_room.py").write_text(GOOD.replace("plugged", "far"))
    monkeypatch.setattr(registry, "ROOMS", {"model": [], "dataset": []})
    plug_in("far", "from brainmark.core.registry import add_room; add_room('far_room', 'model')")
    assert list(registry.datasets) == []
    assert "far_room" not in sys.modules
    assert list(registry.models) == ["far"]


def test_a_broken_room_of_a_plug_in_is_left_out(plug_in, monkeypatch, tmp_path):
    (tmp_path / "broken_room.py").write_text("import not_installed_library")
    monkeypatch.setattr(registry, "ROOMS", {"model": []})
    plug_in("good", "from brainmark.core.registry import add_room; add_room('broken_room', 'model')\n" + GOOD)
    with pytest.warns(UserWarning, match="plug-in 'broken_room' .* No module named 'not_installed_library'"):
        assert list(registry.models) == ["plugged"]


def test_a_plug_in_cannot_take_a_name_of_ours(plug_in, monkeypatch, tmp_path):
    (tmp_path / "our_room.py").write_text(GOOD)
    monkeypatch.setattr(registry, "ROOMS", {"dataset": [], "model": ["our_room"]})
    plug_in("thief", GOOD)
    with pytest.warns(UserWarning, match="plug-in 'thief' .* the name is taken by our_room"):
        assert list(registry.datasets) == []
    assert registry.models["plugged"].module == "our_room"


def test_our_own_things_are_found_after_plug_ins_were_looked_for():
    """Once a description had been read, the first data set that was asked for ended in a circular import."""
    code = (
        "from brainmark.core import datasets, registry; registry.discover('format'); print('Brennan2016' in datasets)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
