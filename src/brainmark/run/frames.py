"""Messages between a run and the process of a foreign model: JSON and plain arrays, so that reading runs no code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, cast

from brainmark.core.errors import ModelError, ResourceError
from brainmark.core.libraries import np, xr
from brainmark.core.memory import available_memory
from brainmark.core.wording import bytes_text

_KINDS = "fiubUS"
_LONGEST_HEAD = 2**24
MOST_DIMENSIONS = 6


def write_frame(file: IO[bytes], head: Mapping[str, Any], body: bytes = b"") -> None:
    """Write a message: what JSON can hold, and bytes."""
    plain = json.dumps(head).encode()
    file.write(len(plain).to_bytes(8, "big") + len(body).to_bytes(8, "big"))
    file.write(plain)
    file.write(body)
    file.flush()


def read_frame(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Return a message.

    Raises
    ------
    EOFError : the other process has gone.
    ModelError : it is no message.
    ResourceError : it is larger than the memory that is free.
    """
    lengths = _read(file, 16)
    head, body = int.from_bytes(lengths[:8], "big"), int.from_bytes(lengths[8:], "big")
    if head > _LONGEST_HEAD:
        raise ModelError("its process sends what is no message")
    if body > 2**28 and body > available_memory():
        raise ResourceError(f"its answer has {bytes_text(body)}; {bytes_text(available_memory())} are free")
    try:
        plain = json.loads(_read(file, head))
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        raise ModelError("its process sends what is no message")
    return cast("dict[str, Any]", plain), _read(file, body)


def _read(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError
    return content


def pack_answer(answer: xr.DataArray) -> tuple[dict[str, Any], bytes]:
    """Return an answer as a description that JSON can hold, and bytes."""
    arrays = {"": answer, **{str(name): values for name, values in answer.coords.items()}}
    described: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, array in arrays.items():
        values = np.ascontiguousarray(array.values).reshape(array.shape)
        about: dict[str, Any] = {"name": name, "dims": [str(d) for d in array.dims], "shape": list(values.shape)}
        if values.dtype.kind in _KINDS:
            parts.append(values.tobytes())
            described.append({**about, "type": values.dtype.str, "bytes": len(parts[-1])})
        else:
            plain = [v.item() if isinstance(v, np.generic) else v for v in values.ravel().tolist()]
            described.append({**about, "plain": plain})
    return {"arrays": described}, b"".join(parts)


def unpack_answer(head: Mapping[str, Any], body: bytes) -> xr.DataArray:
    """Return the answer that was packed. Raises ModelError: the description does not fit the bytes."""
    try:
        place, arrays = 0, dict[str, tuple[list[str], np.ndarray]]()
        for about in head["arrays"]:
            count = int(about.get("bytes", 0))
            arrays[str(about["name"])] = [str(d) for d in about["dims"]], _unpack(about, body[place : place + count])
            place += count
        dims, values = arrays.pop("")
        return xr.DataArray(values, dims=dims, coords=cast(Any, arrays))
    except Exception as error:
        raise ModelError(f"its answer cannot be understood ({type(error).__name__}: {error})") from error


def _unpack(about: Mapping[str, Any], content: bytes) -> np.ndarray:
    shape = tuple(int(side) for side in about["shape"])
    if len(shape) > MOST_DIMENSIONS or any(side < 0 for side in shape):
        raise ValueError(f"shape {shape}")
    if "plain" in about:
        values = np.empty(math.prod(shape), object) if math.prod(shape) == len(about["plain"]) else None
        if values is None or not all(map(_is_sound, about["plain"])):
            raise ValueError("plain values")
        values[:] = about["plain"]
        return values.reshape(shape)
    kind = np.dtype(str(about["type"]))
    if kind.kind not in _KINDS or kind.hasobject or math.prod(shape) * kind.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for shape {shape} of {kind}")
    return _check_bits(np.frombuffer(content, kind)).reshape(shape).copy()


def _is_sound(value: Any) -> bool:
    """Return whether a value of JSON is one that arrays, files and tables can hold."""
    if isinstance(value, str):
        return not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in value)
    return value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63)


def _check_bits(values: np.ndarray) -> np.ndarray:
    """Return an array whose bits stand for values of its type. Raises ValueError: they do not."""
    if values.dtype.kind == "b":
        return values.view(np.uint8) != 0
    if values.dtype.kind == "U" and values.size:
        signs = values.view(f"{values.dtype.str[0]}u4").reshape(len(values), -1)
        ends_within = (signs[:, :-1] == 0) & (signs[:, 1:] != 0)
        if signs.max() > 0x10FFFF or ((signs >= 0xD800) & (signs <= 0xDFFF)).any() or ends_within.any():
            raise ValueError("texts that are none")
    if values.dtype.kind == "S" and values.size and values.view(np.uint8).max() > 127:
        raise ValueError("bytes that are no text")
    return values
