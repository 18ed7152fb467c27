"""A program in a file runs no code of that file.

Guards against: opening someone's ``.pt2`` runs what they pickled into its sample inputs or wrote as a size.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from brainmark.core import ModelError
from brainmark.models.sources.exported import load_program
from brainmark.models.sources.plain_programs import _check_arithmetic


class Small(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) * images.shape[0]


class Code:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def program():
    return torch.export.export(Small(), (torch.zeros(2, 3, 4, 4),), dynamic_shapes=({0: torch.export.Dim("n")},))


@pytest.mark.filterwarnings("ignore")
def test_an_honest_program_is_loaded(program, tmp_path):
    torch.export.save(program, tmp_path / "net.pt2")
    module, width = load_program(tmp_path / "net.pt2")
    assert width == 4
    images = torch.arange(144.0).reshape(3, 3, 4, 4)
    torch.testing.assert_close(module(images), Small()(images))


@pytest.mark.filterwarnings("ignore")
def test_code_in_the_sample_inputs_is_refused_and_does_not_run(program, tmp_path, monkeypatch):
    mark = tmp_path / "ran"
    monkeypatch.setattr(program, "_example_inputs", ((torch.zeros(2, 3, 4, 4),), {"more": Code(mark)}))
    torch.export.save(program, tmp_path / "net.pt2")
    with pytest.raises(ModelError, match=r"is not an exported program|would run code"):
        load_program(tmp_path / "net.pt2")
    assert not mark.exists()


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').mkdir('x')", "exec('1')", "eval(1)", "open('x')", "(lambda: 1)()", "s0.__class__", "[1][0]",
        "lambdify(s0)", "_x + 1", "f'{s0}'", "(s0 := 1)", "breakpoint()",
        "Max('exec(1)')", "symbols('x')", "s0 +", "Max(*s0)", "Max(a=[])",
        "[x for x in s0]", "1 if s0 else 2", "(" * 300 + ")" * 300,
    ],
)  # fmt: skip
def test_a_size_that_is_more_than_arithmetic_is_refused(expression):
    with pytest.raises(ModelError, match="the size"):
        _check_arithmetic(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "s0",
        "Symbol('s34', positive=True)",
        "2*s0 + 1",
        "-s1",
        "Max(1, s0) // 2",
        "Eq(s0, 3)",
        "s0 >= 2",
        "FloorDiv(s0, 2)",
    ],
)
def test_arithmetic_of_sizes_is_allowed(expression):
    _check_arithmetic(expression)
