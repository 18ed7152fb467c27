"""Messages of a foreign model's process: what is sent arrives, and nothing else is taken for an answer."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import xarray as xr

from brainmark.core import ModelError
from brainmark.run.frames import pack_answer, read_frame, unpack_answer, write_frame

LETTERS = {"id": ("a", ["x", "y", "ü"])}
MIXED = np.array(["yes", None, 3, 2.5], dtype=object)
ANSWERS = [
    xr.DataArray(np.arange(6, dtype=np.float32).reshape(2, 3), dims=("presentation", "neuroid")),
    xr.DataArray(np.asfortranarray(np.arange(6.0).reshape(2, 3)).T, dims=("a", "b"), coords=LETTERS),
    xr.DataArray(MIXED, dims="presentation", coords={"n": ("presentation", [1, 2, 3, 4])}),
    xr.DataArray(np.array([True, False]), dims="presentation", coords={"one": 3.0}),
]  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: str(a.dtype))
def test_an_answer_arrives_as_it_was(answer):
    pipe = io.BytesIO()
    write_frame(pipe, *pack_answer(answer))
    pipe.seek(0)
    xr.testing.assert_identical(unpack_answer(*read_frame(pipe)), answer)


ONE = {"name": "", "dims": ["presentation"], "shape": [2], "type": "<f8", "bytes": 16}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ({}, b""),
        ({"arrays": 3}, b""),
        ({"arrays": [{**ONE, "type": "|O"}]}, bytes(16)),
        ({"arrays": [{**ONE, "type": "no type"}]}, bytes(16)),
        ({"arrays": [{**ONE, "shape": [10**9]}]}, bytes(16)),
        ({"arrays": [{**ONE, "shape": [-2]}]}, bytes(16)),
        ({"arrays": [{**ONE, "shape": [1] * 40 + [2]}]}, bytes(16)),
        ({"arrays": [ONE]}, bytes(8)),
        ({"arrays": [{**ONE, "bytes": -16}]}, bytes(16)),
        ({"arrays": [{**ONE, "dims": ["a", "b"]}]}, bytes(16)),
        ({"arrays": [{**ONE, "name": "other"}]}, bytes(16)),
        ({"arrays": [{"name": "", "dims": ["a"], "shape": [10**12], "plain": [1]}]}, b""),
        ({"arrays": [{"name": "", "dims": ["a"], "shape": [1], "plain": [{"a": 1}]}]}, b""),
    ],
)
def test_a_description_that_does_not_fit_is_refused(head, body):
    with pytest.raises(ModelError, match="cannot be understood"):
        unpack_answer(head, body)


@pytest.mark.parametrize(
    "content", [b"\xff" * 16, bytes(7) + b"\x05" + bytes(8) + b"[1,2]", bytes(7) + b"\x02" + bytes(8) + b"{]"]
)
def test_what_is_no_message_is_refused(content):
    with pytest.raises(ModelError, match="no message"):
        read_frame(io.BytesIO(content))


@pytest.mark.parametrize("cut", [0, 3, 16, 20])
def test_a_message_that_ends_early_is_the_end(cut):
    pipe = io.BytesIO()
    write_frame(pipe, {"a": json.dumps([1] * 10)}, b"body")
    with pytest.raises(EOFError):
        read_frame(io.BytesIO(pipe.getvalue()[:cut]))
