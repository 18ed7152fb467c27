"""One place says where networks and metrics compute."""

from __future__ import annotations

import pytest

from brainmark.core import devices
from brainmark.core.devices import Device, compute_on, find_device, gather_notes, has_double, in_use, note, share_out
from brainmark.core.errors import UnknownName

pytest.importorskip("torch")

TWO_GPUS = [Device("cpu", "the processor"), Device("cuda:0", "NVIDIA H200"), Device("cuda:1", "NVIDIA H200")]


def test_a_block_says_what_is_in_use_and_ends_it():
    assert (in_use().device, in_use().precision, in_use().chosen) == ("cpu", "float32", False)
    with compute_on("cpu", "bfloat16"), compute_on(precision="float32") as inner:
        assert inner == in_use()
        assert (inner.device, inner.precision, inner.chosen) == ("cpu", "float32", True)
    assert not in_use().chosen


def test_auto_is_the_first_that_is_here(monkeypatch: pytest.MonkeyPatch):
    for here, first in (
        (TWO_GPUS, "cuda:0"),
        ([TWO_GPUS[0], Device("mps:0", "Apple MPS")], "mps:0"),
        (TWO_GPUS[:1], "cpu"),
    ):
        monkeypatch.setattr(devices, "list_devices", lambda here=here: here)
        assert find_device("auto") == first


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta", "mps", "", "cpu "])
def test_a_device_that_is_not_here_is_told_with_those_that_are(name: str):
    """In place of an error of torch's in the midst of a run, or of arrays without numbers on "meta"."""
    with pytest.raises(
        UnknownName, match=rf"^unknown device '{name}': [^\n]+; here (is|are) cpu \(the processor\)[^\n]*auto"
    ):
        find_device(name)


def test_a_precision_that_is_not_known_is_told():
    with pytest.raises(UnknownName, match="unknown precision 'float16'"), compute_on(precision="float16"):  # pyright: ignore
        pass


@pytest.mark.parametrize(
    ("wanted", "shared"),
    [("cuda", ["cuda:0", "cuda:1", "cuda:0"]), ("auto", ["cuda:0", "cuda:1", "cuda:0"]), ("cuda:1", ["cuda:1"] * 3)],
)
def test_workers_share_the_devices_of_a_kind_in_turn(wanted: str, shared: list[str], monkeypatch: pytest.MonkeyPatch):
    """So that the second worker does not wait for the device of the first."""
    monkeypatch.setattr(devices, "list_devices", lambda: TWO_GPUS)
    monkeypatch.setattr(devices, "_place", lambda name: {"cuda": "cuda:0"}.get(name, name))
    assert share_out(wanted, 3) == shared


def test_workers_share_the_processor():
    assert share_out("cpu", 2) == ["cpu", "cpu"]


def test_a_device_that_is_not_there_has_no_double_precision():
    assert has_double("cpu") and not has_double("no such device")


def test_notes_are_gathered_for_the_block_alone():
    note("nobody listens")
    with gather_notes() as outer:
        note("first")
        with gather_notes() as inner:
            note("second")
        note("third")
    assert (list(outer), list(inner)) == (["first", "third"], ["second"])
