"""Tables of word vectors."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from brainmark.core import DataError, InvalidModel, NotApplicable, Read, Record, check_answer, models
from brainmark.models.subjects.word_vectors import read_vectors, vector_subject

GLOVE = "the 1 2 3\ncat 0.5 -1e-2 4\n. 7 7 7\nJohn 1 1 1\nNew York 2 2 2\nthe 9 9 9\n"


@pytest.fixture
def subject(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(GLOVE, "utf-8")
    return vector_subject("glove", lambda: read_vectors(path))


def test_a_part_is_the_mean_of_its_words(subject, asked):
    experiment = asked([["The", "cat.", "the cat", "John's", "zebra", "", "the zebra"]], Record("LIFG"))
    given = check_answer(subject.perform(experiment), experiment, "glove").values
    the, cat, john = np.array([1, 2, 3]), np.array([0.5, -0.01, 4]), np.ones(3)
    unknown = np.mean([the, cat, [7] * 3, john, [2] * 3], axis=0)
    expected = [the, cat, (the + cat) / 2, john, unknown, unknown, the]
    np.testing.assert_allclose(given, expected, rtol=1e-6)


def test_what_comes_before_changes_nothing(subject, asked):
    alone = subject.perform(asked([["the", "cat"]], Record("LIFG"), alone=True)).values
    np.testing.assert_array_equal(subject.perform(asked([["the", "cat"]], Record("LIFG"))).values, alone)


def test_word2vec_and_packed_files(tmp_path):
    path = tmp_path / "vectors.vec.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"3 2\nwater 1 2 \r\nfire 3 4\nearth 5 6\n")
    table = read_vectors(path, most=2)
    assert list(table.row) == ["water", "fire"]
    assert table.vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "contains no word vector"), ("a 1 2\nb 1 x\n", "line 2"), ("a 1 2\nb 1\n", "line 2"), ("a nan\n", "line 1")],
)
def test_damaged_tables_are_refused(tmp_path, text, reason):
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        read_vectors(path)


def test_what_it_cannot_do_it_says(subject, asked, tmp_path):
    with pytest.raises(NotApplicable, match="predicts no words"):
        subject.perform(asked([["a"]], Read("surprisal")))
    with pytest.raises(NotApplicable, match="has no region 'V1'"):
        subject.perform(asked([["a"]], Record("V1")))
    with pytest.raises(DataError, match="No such file"):
        read_vectors(tmp_path / "none.txt")
    with pytest.raises(InvalidModel, match="regions is empty"):
        vector_subject("x", lambda: read_vectors(tmp_path), ())


def test_by_name(tmp_path, monkeypatch, asked):
    (tmp_path / "v.txt").write_text(GLOVE, "utf-8")
    monkeypatch.chdir(tmp_path)
    entry = models["vectors/v.txt"]
    assert entry.card.domain == "language"
    subject = entry.load()
    assert subject.identifier == "vectors/v.txt"
    assert subject.perform(asked([["the"]], Record("LATL"))).values.tolist() == [[1, 2, 3]]
    assert entry.content() is not None
    with pytest.raises(DataError, match="no file"):
        models["vectors/none.txt"]


@pytest.mark.parametrize("damage", ["endless line", "cut short", "no gzip"])
def test_packed_files_that_are_damaged_are_one_line(tmp_path, damage):
    path = tmp_path / "vectors.txt.gz"
    if damage == "endless line":
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(b"a " + b"1 " * 10_000_000)
    else:
        whole = gzip.compress(b"the 1 2\na 3 4\n" * 100)
        path.write_bytes(whole[:-12] if damage == "cut short" else b"the 1 2")
    with pytest.raises(DataError) as error:
        read_vectors(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
