"""Whatever a library raises on a damaged file becomes one line that names the file."""

from __future__ import annotations

import pytest

from brainmark.core.errors import DataError
from brainmark.data.readers.damage import explain_damage


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "more memory"), (RecursionError("x"), "nested too deeply"), (KeyError("name"), "'name'")],
)
def test_any_error_is_explained(error: Exception, words: str) -> None:
    with pytest.raises(DataError, match=words), explain_damage("a.npz", "cannot be read"):
        raise error
