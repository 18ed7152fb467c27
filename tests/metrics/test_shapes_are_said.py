"""Public functions of metrics say the shapes of their arrays."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import brainmark

ROOM = Path(brainmark.__file__).parent / "metrics"
SHAPED = re.compile(r"\b(?:Bool|Complex|Float|Integer|Num|Real|Shaped)\[(?:np\.ndarray|Array), '[^']*'\]")
BARE = re.compile(r"\b(?:np\.ndarray|Array|Any)\b")


def said(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Public names (function.argument, class.field) and their annotations."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
            fields = [field for field in one.body if isinstance(field, ast.AnnAssign)]
            yield from ((f"{one.name}.{ast.unparse(f.target)}", ast.unparse(f.annotation)) for f in fields)
            yield from said(one, f"{one.name}.")
        elif isinstance(one, ast.FunctionDef) and not re.match(r"_(?!_)", one.name):
            given = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
            annotations = {a.arg: a.annotation for a in given} | {"return": one.returns}
            yield from ((f"{prefix}{one.name}.{k}", ast.unparse(v)) for k, v in annotations.items() if v is not None)


def unsaid(source: str) -> list[str]:
    """Public names whose annotations hold an array without its shape."""
    found = said(ast.parse(source))
    return [name for name, text in found if BARE.search(SHAPED.sub("", text)) and not re.search(r"\._(?!_)", name)]


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOM)))
def test_public_functions_say_the_shapes_of_their_arrays(path: Path) -> None:
    assert unsaid(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(x: np.ndarray) -> float: ...", ["f.x"]),
        ("def f(x: Float[np.ndarray, ' n'] | Sequence[np.ndarray]) -> Array: ...", ["f.x", "f.return"]),
        ("class C:\n    x: dict[str, Array]\n    def at(self) -> Any: ...", ["C.x", "C.at.return"]),
        ("def f(x: Float[Array, 'n p'] | None, y: float) -> list[Real[np.ndarray, ' n']]: ...", []),
        ("def _f(x: np.ndarray): ...", []),
    ],
)
def test_an_array_without_a_shape_would_be_seen(source: str, names: list[str]) -> None:
    assert unsaid(source) == names
