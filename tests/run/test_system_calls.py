"""The filter of system calls refuses what it names and nothing else."""

from __future__ import annotations

import struct

import pytest

from brainmark.run.system_calls import make_filter

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def is_allowed(program: bytes, architecture: int, number: int) -> bool:
    """What the kernel would do: the filter is run here, step by step."""
    steps = list(struct.iter_unpack("=HBBI", program))
    value, place = 0, 0
    while True:
        code, then, otherwise, operand = steps[place]
        place += 1
        if code == 0x20:
            value = {0: number, 4: architecture}[operand]
        elif code == 0x06:
            return operand == 0x7FFF0000
        else:
            holds = value == operand if code == 0x15 else value >= operand
            place += then if holds else otherwise


@pytest.mark.parametrize(
    ("machine", "refused", "allowed"),
    [
        ("x86_64", [101, 165, 250, 272, 321, 425], [0, 1, 56, 57, 202, 319]),
        ("aarch64", [117, 40, 219, 97], [63, 64, 220]),
    ],
)
def test_calls_are_refused_by_their_number(machine: str, refused: list[int], allowed: list[int]) -> None:
    program, architecture = make_filter(machine), ARCHITECTURES[machine]
    assert not any(is_allowed(program, architecture, number) for number in [*refused, 0x40000000])
    assert all(is_allowed(program, architecture, number) for number in allowed)
    assert not is_allowed(program, 0x40000003, allowed[0])  # the numbers of another machine mean other calls
    assert len(program) // 8 < 255  # steps that a jump can pass


def test_a_machine_whose_numbers_are_not_known_has_no_filter() -> None:
    assert make_filter("s390x") == b""
