"""Loads exported programs without running code that the file brings along.

`torch.export.load` unpickles the inputs and objects of a file, evaluates its expressions of sizes as Python, and takes
any function that can be reached from torch for an operator. Here pickles hold tensors alone, expressions are
arithmetic of named sizes, and operators are those of torch.
"""

from __future__ import annotations

import ast
import importlib
import pickle
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brainmark.core.errors import ModelError
from brainmark.core.libraries import torch

_ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Tuple, ast.keyword,
)  # fmt: skip
_lock = threading.Lock()


def load_without_code(path: Path) -> Any:
    """Return the program of a file. Raises ModelError: it holds code; or what `torch.export.load` raises."""
    with _refuse_code():
        program: Any = torch.export.load(path)
    for node in program.graph_module.modules():
        for call in getattr(getattr(node, "graph", None), "nodes", ()):
            if call.op == "call_function" and not _is_operator(call.target):
                raise ModelError(f"{path}: calls {call.target}, which is no operator of torch")
            if call.op == "call_method":
                raise ModelError(f"{path}: calls the method {call.target}; exported programs have operators alone")
    return program


def _is_operator(target: Any) -> bool:
    """Return whether a function of a graph is an operator of torch, or arithmetic of sizes."""
    operators: Any = importlib.import_module("torch._ops")
    kinds = operators.OpOverload | operators.HigherOrderOperator
    arithmetic = getattr(target, "__module__", "") in ("_operator", "math")
    symbolic = getattr(target, "__module__", "") == "torch" and getattr(target, "__name__", "").startswith("sym_")
    return isinstance(target, kinds) or arithmetic or symbolic


@contextmanager
def _refuse_code() -> Generator[None]:
    """Let nothing that is unpickled or parsed in the block run code."""
    library: Any = importlib.import_module("torch")  # ours is a promise of it, which nobody else looks at
    sympy: Any = importlib.import_module("sympy")
    load, parse = library.load, sympy.sympify

    def load_tensors(*given: Any, **options: Any) -> Any:
        return load(*given, **{**options, "weights_only": True})

    def parse_arithmetic(expression: Any, *given: Any, **options: Any) -> Any:
        if isinstance(expression, str):
            _check_arithmetic(expression)
        return parse(expression, *given, **options)

    def refuse(*_: Any, **__: Any) -> Any:
        raise ModelError("it holds a pickled object, which would run code")

    with (
        _lock, _stand_in(library, "load", load_tensors), _stand_in(sympy, "sympify", parse_arithmetic),
        _stand_in(pickle, "loads", refuse),
    ):  # fmt: skip
        yield


@contextmanager
def _stand_in(module: Any, name: str, function: Callable[..., Any]) -> Generator[None]:
    """Put a function in the place of one of a module, as long as the block runs."""
    usual = getattr(module, name)
    setattr(module, name, function)
    try:
        yield
    finally:
        setattr(module, name, usual)


def _check_arithmetic(expression: str) -> None:
    """Raise ModelError: an expression is more than numbers, names, signs, and classes of sympy (with a capital)."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ModelError(f"the size {expression[:60]!r} is no expression") from None
    for node in ast.walk(tree):
        allowed = isinstance(node, _ARITHMETIC)
        if isinstance(node, ast.Call):
            allowed = isinstance(node.func, ast.Name) and node.func.id[:1].isupper()
        elif isinstance(node, ast.Constant):  # a text is the name of a size
            text = node.value.isidentifier() and node.value[0] != "_" if isinstance(node.value, str) else False
            allowed = text or isinstance(node.value, int | float)
        if not allowed or (isinstance(node, ast.Name) and node.id.startswith("_")):
            raise ModelError(f"the size {expression[:60]!r} is more than arithmetic, and would run code")
