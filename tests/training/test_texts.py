"""Text to train on: paragraphs, tokens, and rows of tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from brainmark.core import DataError, UnknownName
from brainmark.training.texts import BEGIN, chunks, learn_tokenizer, paragraphs_of, stream


def test_rows_overlap_by_one_token_and_hold_each_once() -> None:
    tokens = torch.arange(1003)
    rows = chunks(tokens, 10)
    assert rows.shape == (100, 11)
    assert torch.equal(rows[1:, 0], rows[:-1, -1])
    drawn = chunks(tokens, 10, torch.Generator().manual_seed(0))
    assert len(torch.unique(drawn[:, 1:])) == 1000
    assert not torch.equal(drawn[0], rows[0])


def test_a_stream_has_the_beginning_before_each_paragraph() -> None:
    tokenizer = learn_tokenizer(["a b", "c"], 300)
    begin = tokenizer.token_to_id(BEGIN)
    assert stream(tokenizer, ["a", "", "b"]).tolist() == [
        begin, *tokenizer.encode("a").ids, begin, begin, *tokenizer.encode("b").ids,
    ]  # fmt: skip


def test_own_text_files(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(f"Line {i}\nof text." for i in range(100)) + "\n\n \n", encoding="utf-8")
    found = paragraphs_of([str(path)])
    assert (len(found.training), len(found.held_out)) == (95, 5)
    assert found.training[0] == "Line 0 of text."
    assert not set(found.training) & set(found.held_out)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="cannot be read as text"):
        paragraphs_of([str(path)])
    path.write_text("short")
    with pytest.raises(DataError, match="1 paragraphs are too few"):
        paragraphs_of([str(path)])
    with pytest.raises(UnknownName, match="did you mean 'books'"):
        paragraphs_of(["bookss"])
