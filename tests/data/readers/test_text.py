"""Text is text, whatever wrote it: marks at the beginning of files, bytes in the place of text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainmark.core.errors import DataError
from brainmark.data.readers.text import decode, decode_array, read_json, read_text, read_toml


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_no_text(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_bytes('{"name": "Café"}'.encode(encoding))
    assert read_json(tmp_path / "a.json") == {"name": "Café"}


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("José".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt: cannot be read as text in UTF-8"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("content", ["[1]", "1", "null", '"a"', "{", ""])
def test_json_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_toml_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_toml(tmp_path / "a.toml")


def test_bytes_are_text() -> None:
    assert decode(b"V4") == decode("V4") == decode(np.bytes_(b"V4")) == "V4"
    assert decode(4) == "4"
    assert decode_array(np.array([b"V4", b"IT"])).tolist() == ["V4", "IT"]
    mixed = np.empty((1, 2), object)
    mixed[0] = [b"V4", "Caf\u00e9"]
    assert decode_array(mixed).tolist() == [["V4", "Café"]]
    assert decode_array(np.array([1.5])).dtype == float
    with pytest.raises(DataError, match="no text in UTF-8"):
        decode_array(np.array([b"\xff\xfe"]))
