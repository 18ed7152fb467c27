"""Annotations that say the shape of an array: ``Float[Array, "presentation neuroid"]``.

They are those of jaxtyping: the kind of numbers, whose array, and a name for each axis. Equal names in one signature
are equal lengths; ``_`` is any length, ``#name`` also 1, ``*name`` any number of axes. What would read as Python (a
single name) has a blank before it, for the sake of linters. Nothing is checked or imported when the package runs;
`brainmark.testing.shapes` checks every call of a test suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

Array = Any
"""A NumPy array or a torch tensor."""

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer, Real, Shaped
else:

    class _Kind:
        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            return Annotated[item[0], f"{cls.__name__}: {item[1].strip()}"]

    class Bool(_Kind):
        """Truth values."""

    class Integer(_Kind):
        """Whole numbers, signed or not."""

    class Float(_Kind):
        """Floating numbers of any precision."""

    class Real(_Kind):
        """Whole or floating numbers."""

    class Shaped(_Kind):
        """Anything, text included."""
