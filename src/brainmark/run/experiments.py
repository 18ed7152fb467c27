"""Experiments on their way to the process of a foreign model: JSON, plain arrays, and stimuli as they are asked for.

What goes there is data: nothing is pickled, and no path of the run is needed, so that the other process may see none of
its files.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from brainmark.core.errors import InvalidStimuli, ModelError
from brainmark.core.experiment import Experiment
from brainmark.core.handout import Copies
from brainmark.core.images import decode_image
from brainmark.core.libraries import Image, np, pd, torch
from brainmark.core.stimuli import MODALITIES, ImageFiles, Media, Selected, Stimuli
from brainmark.models.subjects.observer import distinct

_PLAIN = (str, bool, int, float, type(None))
Parcel = tuple[Any, bytes]
"""What JSON can hold, and bytes that it refers to."""
Ask = Callable[[int, int], Parcel]
"""number of a set of stimuli, number of a stimulus -> what was packed of it"""


def pack_experiment(experiment: Experiment) -> tuple[Parcel, list[Media]]:
    """Return an experiment without its stimuli, and these: one sequence for each set.

    Raises
    ------
    InvalidStimuli : something in it is neither a number, a text, an array nor a data class of these.
    """
    packer = _Packer()
    known = {"digest": experiment.__dict__.get("digest"), "stimuli": experiment.stimuli.__dict__.get("digest")}
    parts = {"stimuli": experiment.stimuli, "ask": experiment.ask, "setting": experiment.setting, "known": known}
    return (packer.pack(parts), b"".join(packer.bytes)), packer.media


def unpack_experiment(parcel: Parcel, ask: Ask) -> Experiment:
    """Return the experiment that was packed; its stimuli are asked for as they are used."""
    parts = _Unpacker(parcel[1], ask).unpack(parcel[0])
    experiment = Experiment(parts["stimuli"], parts["ask"], parts["setting"])
    for thing, name in ((experiment, "digest"), (experiment.stimuli, "stimuli")):
        if parts["known"][name]:
            thing.__dict__["digest"] = parts["known"][name]
    return experiment


def pack_medium(media: list[Media], place: Any) -> Parcel:
    """Return a stimulus of one of the sets of an experiment; a file of an image as it lies on the disk.

    Raises
    ------
    ModelError : there is no such stimulus.
    InvalidStimuli : it cannot be read.
    """
    try:
        chosen, index = (int(number) for number in place)
        if not (0 <= chosen < len(media) and 0 <= index < len(media[chosen])):
            raise ValueError
    except (TypeError, ValueError):
        raise ModelError(f"its process asks for the stimulus {str(place)[:50]}, which is not there") from None
    packer = _Packer()
    one, index = _resolve(media[chosen], index)
    if isinstance(one, ImageFiles):
        medium = _read_file(one, index)
        return {"is": "image", "of": packer.pack(medium)}, b"".join(packer.bytes)
    return packer.pack(one[index]), b"".join(packer.bytes)


def _resolve(media: Media, index: int) -> tuple[Media, int]:
    """Return the sequence from which a stimulus comes, and its place there."""
    while isinstance(media, Selected | Copies):
        index = media.positions[index] if isinstance(media, Selected) else index
        media = media.media
    return media, index


def _read_file(files: ImageFiles, index: int) -> bytes:
    try:
        return files.paths[index].read_bytes()
    except OSError as error:
        raise InvalidStimuli(f"image {index}: no file {files.paths[index]} ({error.strerror})") from None


def unpack_medium(parcel: Parcel, index: int) -> Any:
    """Return the stimulus that was packed. Raises InvalidStimuli: its file is no image."""
    described, body = parcel
    unpacker = _Unpacker(body, None)
    if not (isinstance(described, dict) and cast("dict[str, Any]", described).get("is") == "image"):
        return unpacker.unpack(described)
    try:
        return decode_image(io.BytesIO(unpacker.unpack(described["of"])))
    except InvalidStimuli as error:
        raise InvalidStimuli(f"image {index}: cannot decode it: {error}") from error


@dataclass(frozen=True)
class SentMedia:
    """Stimuli that the run keeps; each is asked for when it is used. Copies of it in other programs hold them all."""

    ask: Ask
    number: int
    count: int
    concurrent: ClassVar[bool] = True

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        if not -self.count <= index < self.count:
            raise IndexError(index)
        index %= self.count
        return unpack_medium(self.ask(self.number, index), index)

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, ([self[index] for index in range(self.count)],)


class _Packer:
    """Packs one thing after another; `bytes` are what their descriptions refer to, in order."""

    def __init__(self) -> None:
        self.bytes: list[bytes] = []
        self.media: list[Media] = []

    def pack(self, value: Any) -> Any:
        """Return the description of a value. Raises InvalidStimuli: its type is not known."""
        if type(value) in _PLAIN:
            return value
        if isinstance(value, tuple | list):
            items = [self.pack(each) for each in cast("list[Any]", value)]
            return {"is": "tuple" if isinstance(value, tuple) else "list", "items": items}
        if isinstance(value, Mapping):
            return {"is": "mapping", "items": [[self.pack(k), self.pack(v)] for k, v in value.items()]}
        if isinstance(value, Stimuli):
            return {"is": "stimuli", "fields": self._pack_stimuli(value)}
        if is_dataclass(value) and not isinstance(value, type):
            kind = type(value)
            of = {f.name: self.pack(getattr(value, f.name)) for f in fields(value) if f.init}
            return {"is": "object", "module": kind.__module__, "name": kind.__qualname__, "fields": of}
        return self._pack_bytes(value)

    def _pack_bytes(self, value: Any) -> dict[str, Any]:
        if isinstance(value, bytes):
            return self._keep({"is": "bytes"}, value)
        if isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            about = {"is": "array" if isinstance(value, np.ndarray) else "scalar", "shape": list(array.shape)}
            if array.dtype.hasobject:
                return {**about, "items": [self.pack(each) for each in array.ravel().tolist()]}
            if array.dtype.names is None:
                return self._keep({**about, "type": array.dtype.str}, np.ascontiguousarray(array).tobytes())
        if isinstance(value, Path):
            return {"is": "path", "text": str(value)}
        if "torch" in sys.modules and isinstance(value, torch.Tensor) and value.layout == torch.strided:
            plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
            about = {"is": "tensor", "type": str(plain.dtype).removeprefix("torch."), "shape": list(plain.shape)}
            return self._keep(about, plain.flatten().view(torch.uint8).numpy().tobytes())
        if isinstance(value, Image.Image):
            about = {"is": "picture", "mode": value.mode, "size": list(value.size)}
            colours = value.getpalette("RGBA") if value.mode in ("P", "PA") else None
            return self._keep(
                {**about, "colours": colours, "clear": self.pack(value.info.get("transparency"))}, value.tobytes()
            )
        kind = type(value)
        raise InvalidStimuli(f"a {kind.__module__}.{kind.__qualname__} cannot be sent to the process of a model")

    def _keep(self, about: dict[str, Any], content: bytes) -> dict[str, Any]:
        self.bytes.append(content)
        return {**about, "bytes": len(content)}

    def _pack_stimuli(self, stimuli: Stimuli) -> dict[str, Any]:
        table = stimuli.table
        columns = [[self.pack(name), self._pack_column(table.iloc[:, i])] for i, name in enumerate(table.columns)]
        packed = {"identifier": stimuli.identifier, "modality": stimuli.modality, "ids": stimuli.ids.tolist()}
        given: Any = stimuli.media
        if type(given) is tuple and all(type(medium) in _PLAIN for medium in given):
            return {**packed, "columns": columns, "media": self.pack(given)}
        media, rows = distinct(stimuli.media)
        self.media.append(media)
        places = rows.tolist() if len(media) < len(stimuli) else None
        return {**packed, "columns": columns, "set": len(self.media) - 1, "count": len(media), "places": places}

    def _pack_column(self, column: pd.Series) -> Any:
        if isinstance(column.dtype, np.dtype) and not column.dtype.hasobject:
            return self.pack(column.to_numpy())
        return {"is": "column", "type": str(column.dtype), "items": [self._pack_cell(v) for v in column.tolist()]}

    def _pack_cell(self, value: Any) -> Any:
        return {"is": "missing"} if value is pd.NA or value is pd.NaT else self.pack(value)


class _Unpacker:
    """Makes of descriptions what was packed, in the same order."""

    def __init__(self, body: bytes, ask: Ask | None) -> None:
        self._body, self._place, self._ask = body, 0, ask

    def unpack(self, about: Any) -> Any:
        """Return the value that is described."""
        return about if not isinstance(about, dict) else getattr(self, f"_make_{about['is']}")(about)

    def _take(self, about: Mapping[str, Any]) -> bytes:
        begin, self._place = self._place, self._place + about["bytes"]
        return self._body[begin : self._place]

    def _make_tuple(self, about: Mapping[str, Any]) -> Any:
        return tuple(self.unpack(each) for each in about["items"])

    def _make_list(self, about: Mapping[str, Any]) -> Any:
        return [self.unpack(each) for each in about["items"]]

    def _make_mapping(self, about: Mapping[str, Any]) -> Any:
        return {self.unpack(key): self.unpack(value) for key, value in about["items"]}

    def _make_bytes(self, about: Mapping[str, Any]) -> Any:
        return self._take(about)

    def _make_path(self, about: Mapping[str, Any]) -> Any:
        return Path(about["text"])

    def _make_missing(self, about: Mapping[str, Any]) -> Any:
        del about
        return pd.NA

    def _make_array(self, about: Mapping[str, Any]) -> Any:
        if "items" not in about:
            return np.frombuffer(self._take(about), np.dtype(about["type"])).reshape(about["shape"]).copy()
        values = np.empty(len(about["items"]), object)
        values[:] = [self.unpack(each) for each in about["items"]]
        return values.reshape(about["shape"])

    def _make_scalar(self, about: Mapping[str, Any]) -> Any:
        return self._make_array(about)[()]

    def _make_tensor(self, about: Mapping[str, Any]) -> Any:
        content, kind = bytearray(self._take(about)), getattr(torch, about["type"])
        flat = torch.frombuffer(content, dtype=torch.uint8).view(kind) if content else torch.empty(0, dtype=kind)
        return flat.reshape(about["shape"])

    def _make_picture(self, about: Mapping[str, Any]) -> Any:
        clear = self.unpack(about["clear"])  # packed first
        picture = Image.frombytes(about["mode"], tuple(about["size"]), self._take(about))
        if about["colours"]:
            picture.putpalette(about["colours"], "RGBA")
        picture.info |= {} if clear is None else {"transparency": clear}
        return picture

    def _make_object(self, about: Mapping[str, Any]) -> Any:
        try:
            kind: Any = importlib.import_module(about["module"])
            for name in about["name"].split("."):
                kind = getattr(kind, name)
        except (ImportError, AttributeError):
            where = f"{about['module']}.{about['name']}"
            raise InvalidStimuli(
                f"the process of a model does not know the class {where}; put it into a module that can be imported"
            ) from None
        return kind(**{name: self.unpack(value) for name, value in about["fields"].items()})

    def _make_column(self, about: Mapping[str, Any]) -> Any:
        values = [self.unpack(each) for each in about["items"]]
        kind = about["type"] if about["type"] != "category" else "object"
        column = pd.Series(values, dtype=kind)
        return column.astype("category").array if about["type"] == "category" else column.array

    def _make_stimuli(self, about: Mapping[str, Any]) -> Stimuli:
        packed = about["fields"]
        MODALITIES.setdefault(packed["modality"], None)  # of a package that the run alone has loaded
        columns = [(self.unpack(name), self.unpack(values)) for name, values in packed["columns"]]
        index = pd.Index(packed["ids"], name="stimulus_id")
        series = [pd.Series(values, index=index) for _, values in columns]
        table = pd.concat(series, axis=1) if series else pd.DataFrame(index=index)
        table = table.set_axis([name for name, _ in columns], axis=1) if series else table
        return Stimuli(packed["identifier"], packed["modality"], table, self._make_media(packed))

    def _make_media(self, packed: Mapping[str, Any]) -> Media:
        if "media" in packed:
            return self.unpack(packed["media"])
        assert self._ask is not None
        media = SentMedia(self._ask, packed["set"], packed["count"])
        return media if packed["places"] is None else Selected(media, tuple(packed["places"]))
