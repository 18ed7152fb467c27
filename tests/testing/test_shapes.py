"""Arrays of other shapes than annotated are caught where a test suite asks for it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import numpy as np
import pytest

from brainmark.metrics._arrays.shapes import Float
from brainmark.metrics.similarity import crossnobis
from brainmark.metrics.statistics.ceilings import spearman_brown
from brainmark.testing.shapes import ShapeError, check_calls, check_shapes

MODULE = """
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainmark.metrics._arrays.shapes import Array, Bool, Float, Integer, Real, Shaped


def products(x: Float[Array, "stimulus unit"], y: Float[Array, "stimulus _"]) -> Float[Array, "unit _"]:
    if x.shape[0] > 10:
        raise ValueError("too many")
    return x.T @ y[: len(x)]  # takes more rows than it should


def transposed(x: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    return x.T


def each(parts: list[Real[np.ndarray, " n"]], scale: float | Float[np.ndarray, " n"] = 1) -> None:
    return None


def named(parts: dict[str, Float[np.ndarray, " n"]]) -> None:
    return None


def pair(x: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    return x, x[1:]


def several(*parts: Float[np.ndarray, " n"]) -> int:
    return len(parts)


def plain(x):
    return x


@dataclass(frozen=True)
class Fitted:
    weights: Float[np.ndarray, "unit neuroid"]
    known: Bool[np.ndarray, " neuroid"] | None = None

    def predict(self, x: Float[np.ndarray, "row unit"]) -> Float[np.ndarray, "row neuroid"]:
        return x @ self.weights

    @property
    def labels(self) -> Shaped[np.ndarray, " neuroid"]:
        return np.array([["a", "b"]])
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of a package whose calls are checked."""
    (tmp_path / "shaped_package").mkdir()
    (tmp_path / "shaped_package" / "__init__.py").write_text("")
    (tmp_path / "shaped_package" / "arrays.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    check_shapes("shaped_package")
    yield importlib.import_module("shaped_package.arrays")
    for name in ("shaped_package.arrays", "shaped_package"):
        del sys.modules[name]


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape)


def test_what_is_as_annotated_passes(module: ModuleType) -> None:
    assert module.products(zeros(3, 2), zeros(3, 4)).shape == (2, 4)
    assert module.transposed(zeros(2, 2)).shape == (2, 2)
    assert module.Fitted(zeros(2, 3), np.ones(3, bool)).predict(x=zeros(5, 2)).shape == (5, 3)
    module.each([zeros(2), np.ones(2, int)])
    assert module.several() == 0
    assert module.several(zeros(2), zeros(2)) == 2
    assert module.plain("x") == "x"


def test_tensors_are_arrays(module: ModuleType) -> None:
    torch = pytest.importorskip("torch")
    assert module.products(torch.zeros(3, 2), torch.zeros(3, 4)).shape == (2, 4)
    with pytest.raises(ShapeError, match=r"y is no .*Tensor \(4, 4\)"):
        module.products(torch.zeros(3, 2), torch.zeros(4, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.products(zeros(3, 2), zeros(4, 4)), r"arrays\.products: y is no .*; there are x ndarray \(3, 2\)"),
        (lambda m: m.products(zeros(3, 2), zeros(3)), r"y is no"),
        (lambda m: m.products(np.ones((3, 2), int), zeros(3, 1)), r"x is no .*int64"),
        (lambda m: m.products(zeros(3, 2), np.zeros((3, 1), np.int8)), r"y is no .*int8"),
        (lambda m: m.transposed(zeros(2, 3)), r"return is no Float.*; there are x ndarray \(2, 3\) float64, return"),
        (lambda m: m.each([zeros(2), zeros(3)]), r"parts is no list"),
        (lambda m: m.each([zeros(2)], scale=zeros(3)), r"scale is no float"),
        (lambda m: m.Fitted(zeros(2)), r"Fitted\.__init__: weights is no"),
        (lambda m: m.Fitted(zeros(2, 3), np.ones(4, bool)), r"known is no"),
        (lambda m: m.Fitted(zeros(2, 3)).predict(zeros(2)), r"Fitted\.predict: x is no"),
        (lambda m: m.Fitted(zeros(2, 3)).labels, r"Fitted\.labels: return is no Shaped"),
        (lambda m: m.named({"a": zeros(2), "b": zeros(3)}), r"parts is no dict"),
        (lambda m: m.pair(zeros(2)), r"return is no tuple"),
        (lambda m: m.several(zeros(2), zeros(3)), r"parts is no Float"),
    ],
)
def test_what_is_not_as_annotated_is_caught(
    module: ModuleType, call: Callable[[ModuleType], object], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        call(module)


def test_an_error_of_the_functions_own_comes_first(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="too many"):
        module.products(zeros(11, 2), zeros(3))


def test_a_function_that_says_no_shape_is_left_as_it_is(module: ModuleType) -> None:
    assert not hasattr(module.plain, "__wrapped__")
    assert check_calls(module.plain) is module.plain


def test_too_late_is_said() -> None:
    with pytest.raises(RuntimeError, match=r"must be called earlier: brainmark\.metrics"):
        check_shapes("brainmark.metrics")


def test_this_suite_checks_the_metrics() -> None:
    with pytest.raises(ShapeError, match="r is no"):
        spearman_brown(np.ones(3, int))
    assert hasattr(crossnobis.shrinkage, "__wrapped__")
    assert crossnobis.shrinkage.__name__ == "shrinkage"


def test_without_checks_an_annotation_is_that_of_the_array() -> None:
    assert get_type_hints(spearman_brown)["r"] is np.ndarray
    said = get_type_hints(spearman_brown, include_extras=True)["r"]
    assert said.__metadata__ == ("Float: *cell",)
    assert said == Float[np.ndarray, " *cell"]


def test_a_program_loads_no_type_checker_for_them() -> None:
    loaded = "{'jaxtyping', 'beartype', 'brainmark'} & set(sys.modules)"
    code = f"import sys, brainmark.metrics.similarity.crossnobis; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'brainmark'}\n"
