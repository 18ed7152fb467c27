"""Models described in a TOML file: where the network is, and what its layers and pixels stand for. No code.

.. code-block:: toml

    [my-resnet]
    network = "timm/resnet18.a1_in1k"   # or torchvision/..., hf/..., module:function, network.pt2, a registered name
    weights = "epoch90.safetensors"     # optional: a table of weights to put into the network
    degrees = 8.0                       # field of view
    size = 224                          # of the input, in pixels
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    behavior = "global_pool"
    regions.V1 = "layer1"
    regions.IT = { layer = "layer4", pool = 7 }
    head = { layer = "output", classes = "imagenet" }

Networks that read take ``window``, ``overlap`` and ``begin`` in place of what is seen, and name how tokens are pooled:
``regions.language_system = { layer = "transformer.h.5", pool = "mean" }``; see `language_subject.LanguageSubject`. It
can be several layers, some of their units, or brought to unit length:
``{ layer = ["h.4", "h.5"], units = { "h.4" = [7, 9], "h.5" = [0] }, unit_length = true }``.

Paths are relative to the file. What is left out is as the network has it under its own name.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from brainmark.core.cards import ModelCard
from brainmark.core.errors import DataError, InvalidModel, ModelError, UnknownName
from brainmark.core.libraries import torch
from brainmark.core.registry import Entry, models
from brainmark.core.subject import Subject
from brainmark.data.fetch import file_digest
from brainmark.models.networks.seeds import twin
from brainmark.models.sources import exported
from brainmark.models.sources.found_networks import DEGREES
from brainmark.models.sources.resolve import ModelEntry, card_for
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.text_readout import Pool, TextReadout
from brainmark.models.subjects.vision import Head, Readout, Steps, VisionSubject

_EXACT = ConfigDict(extra="forbid", strict=True)


class TimeTable(BaseModel):
    """`Steps`, in ms."""

    model_config = _EXACT
    start: float
    step: float = Field(gt=0)
    count: int = Field(ge=1)


def _from_text(value: Any) -> Any:
    return {"layer": value} if isinstance(value, str) else value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _layers(value: Any) -> Any:
    names: list[Any] = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("name a layer, or a list of layers")
    return tuple(names)


class ReadoutTable(BaseModel):
    """`Readout` or `TextReadout`; a text alone is the layer."""

    model_config = _EXACT
    layer: Annotated[tuple[str, ...], BeforeValidator(_layers)]
    pool: Annotated[int, Field(ge=1)] | Pool | None = None
    first: float | None = None
    step: float | None = None
    time: TimeTable | None = None
    units: dict[str, list[int]] | None = None
    unit_length: bool = False

    def readout(self) -> Readout:
        """Return it as models that see take it."""
        name = ", ".join(self.layer)
        if isinstance(self.pool, str):
            raise InvalidModel(f"{name}: pool is {self.pool!r}; of a network that sees, give rows and columns")
        if len(self.layer) > 1 or self.units is not None or self.unit_length:
            raise InvalidModel(f"{name}: a network that sees is read from all units of one layer, as they are")
        time = Steps(**self.time.model_dump()) if self.time else None
        return Readout(name, self.pool, self.first, self.step, time)

    def text_readout(self) -> TextReadout:
        """Return it as models that read take it."""
        if isinstance(self.pool, int) or any(v is not None for v in (self.first, self.step, self.time)):
            raise InvalidModel(
                f"{', '.join(self.layer)}: of a network that reads, pool is one of {', '.join(get_args(Pool))}, "
                "no first, step or time"
            )
        return TextReadout(self.layer, self.pool or "last", self.units, self.unit_length)


class HeadTable(BaseModel):
    """`Head`: the layer of the logits, and what they stand for."""

    model_config = _EXACT
    layer: str = "output"
    classes: Literal["imagenet"] | Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=2)] = (
        "imagenet"
    )


Where = Annotated[ReadoutTable, BeforeValidator(_from_text)]


def _of_channels(value: Any) -> Any:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("give three numbers, for red, green and blue")
    return tuple(value)


Channels = Annotated[tuple[float, float, float], BeforeValidator(_of_channels)]


class Description(BaseModel):
    """One model of a file."""

    model_config = _EXACT
    network: str = Field(min_length=1)
    weights: str | None = None
    summary: str | None = Field(None, min_length=1)
    licence: str = "not stated"
    cite: str | None = None
    degrees: float | None = Field(None, gt=0)
    size: int | None = Field(None, ge=1)
    mean: Channels | None = None
    std: Channels | None = None
    regions: dict[str, Where] = Field(default_factory=dict[str, Where])
    behavior: Where | None = None
    head: HeadTable | None = None
    window: int | None = Field(None, ge=1)
    overlap: int | None = Field(None, ge=0)
    begin: bool | None = None

    def readouts(self, reads: bool) -> dict[str, Readout] | dict[str, TextReadout] | None:
        """Return what stands for each region of a network that sees, or reads; None where nothing is said."""
        if reads:
            return {region: where.text_readout() for region, where in self.regions.items()} or None
        return {region: where.readout() for region, where in self.regions.items()} or None

    def changed(self, subject: VisionSubject | LanguageSubject, name: str) -> VisionSubject | LanguageSubject:
        """Return the subject with all that is said here.

        Raises
        ------
        InvalidModel : what is said is for networks of another kind.
        """
        seeing, reading = ("degrees", "size", "mean", "std", "head"), ("window", "overlap", "begin")
        reads = isinstance(subject, LanguageSubject)
        other = next((n for n in (seeing if reads else reading) if getattr(self, n) is not None), None)
        if other:
            raise InvalidModel(
                f"{other} is {getattr(self, other)!r}; a network that {'reads' if reads else 'sees'} has none"
            )
        return self._reading(subject, name) if isinstance(subject, LanguageSubject) else self._seeing(subject, name)

    def _reading(self, subject: LanguageSubject, name: str) -> LanguageSubject:
        told: dict[str, Any] = {n: v for n in ("window", "overlap", "begin") if (v := getattr(self, n)) is not None}
        if self.window:
            told["network"] = subject.module  # its window is another
        if self.regions:
            told["regions"] = self.readouts(True)
        if self.behavior:
            told["behavior"] = self.behavior.text_readout()
        return dataclasses.replace(subject, identifier=name, **told)

    def _seeing(self, subject: VisionSubject, name: str) -> VisionSubject:
        told = {n: v for n in ("degrees", "size", "mean", "std") if (v := getattr(self, n)) is not None}
        if self.regions:
            told["regions"] = self.readouts(False)
        if self.behavior:
            told["behavior"] = self.behavior.readout()
        if self.head:
            told["head"] = Head(self.head.layer, self.head.classes)
        return dataclasses.replace(subject, identifier=name, **told)


def read(path: Path) -> dict[str, Description]:
    """Return the models of a file by name.

    Raises
    ------
    DataError : the file is not there.
    InvalidModel : it is no TOML, or a field is not as it has to be; names file, model, field and value.
    """
    tables = _tables(path)
    if not tables:
        raise InvalidModel(f"{path}: describes no model; begin with [name] and network = ...")
    return {name: _description(path, name, table) for name, table in tables.items()}


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidModel(f"{path}: {error}") from error


def _description(path: Path, name: str, table: Any) -> Description:
    try:
        return Description.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])  # not what it then lacks
        place = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = [*Description.model_fields, *ReadoutTable.model_fields, *HeadTable.model_fields]
            raise UnknownName(f"field of {path} [{name}]", ".".join(place), known) from None
        field = ".".join(place) or "the model"
        raise InvalidModel(f"{path} [{name}]: {field} is {first['input']!r}: {first['msg']}") from None


def described(name: str, path: Path, member: str) -> ModelEntry:
    """Return the model ``member`` of a file; without it, the only one. Raises what `read` raises, and UnknownName."""
    found = read(path)
    if not member and len(found) == 1:
        member = next(iter(found))
    if member not in found:
        raise UnknownName(f"model of {path}", member, found, f" (it describes: {', '.join(found)})")
    return _entry(name, path, member, found[member])


def in_file(path: Path, names: list[str]) -> list[str]:
    """Return the names, those of models of the file as ``file#name``."""
    known = read(path)
    return [f"{path}#{name}" if name in known else name for name in names]


def beside_program(name: str, path: Path) -> ModelEntry:
    """Return the model of an exported program that a file of the same name describes, without a table around it."""
    table = _tables(path)
    table.setdefault("network", Path(name).name)
    return _entry(name, path, path.stem, _description(path, path.stem, table))


def _entry(name: str, path: Path, member: str, told: Description) -> ModelEntry:
    base, files = _network(path, member, told)

    def make(weights: Literal["published", "random"] = "published", seed: int = 0) -> Subject:

        own = told.weights and weights == "published"
        try:
            regions = told.readouts(base.card.domain == "language")
            options = {"weights": "random" if own else weights, "seed": seed, "size": told.size, "regions": regions}
            subject = base.load(**{n: v for n, v in options.items() if n in base.options and v is not None})
            if not isinstance(subject, VisionSubject | LanguageSubject):
                raise InvalidModel(f"network is {told.network!r}: it has no layers that can be read")
            subject = told.changed(subject, twin(name, weights, seed))
        except InvalidModel as error:
            raise InvalidModel(f"{path} [{member}]: {error}") from None
        _check_layers(path, member, subject)
        return _with_weights(subject, path.parent / str(told.weights)) if own else subject

    def alone() -> Subject:
        return make()

    def content() -> str | None:
        given = base.content() if base.content else base.name
        return given and hashlib.sha256("".join([given, *map(file_digest, files)]).encode()).hexdigest()

    factory = make if "weights" in base.options else alone
    factory.__module__ = base.module  # whose code it is that makes the network
    return Entry("model", name, factory, _card(name, path, member, told, base), content)


def _card(name: str, path: Path, member: str, told: Description, base: ModelEntry) -> ModelCard:
    changes: dict[str, Any] = {
        "summary": told.summary or f"{member}: {told.network}, as {path.name} describes it.",
        "regions": tuple(told.regions) or base.card.regions,
        "family": base.card.family,
    }
    if told.cite:
        changes["cite"] = told.cite
    reads = base.card.domain == "language"
    degrees = None if reads else told.degrees or base.card.degrees or DEGREES
    changes["domain"] = base.card.domain
    try:
        return card_for(name, what=member, where=path.name, licence=told.licence, degrees=degrees, **changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidModel(f"{path} [{member}]: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _check_layers(path: Path, member: str, subject: VisionSubject | LanguageSubject) -> None:
    """Refuse layers that the network does not have, before anything is computed."""
    read = {f"regions.{region}": where for region, where in subject.regions.items()}
    read |= {"behavior": subject.behavior} if subject.behavior else {}
    read |= {"head": subject.head.layer} if isinstance(subject, VisionSubject) and subject.head else {}
    known = [*(name for name, _ in subject.module.named_modules() if name), "output"]
    for field, where in read.items():
        names = where.layers if isinstance(where, TextReadout) else [getattr(where, "layer", where)]
        for layer in (str(name).partition("@")[0] for name in names):
            if layer not in known:
                raise UnknownName(f"layer in {path} [{member}] {field}", layer, known)


def _with_weights(subject: VisionSubject | LanguageSubject, path: Path) -> VisionSubject | LanguageSubject:
    """Return the subject with the weights of a file (safetensors, or torch without code)."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            table: Any = load_file(path)
        else:
            table = torch.load(path, map_location="cpu", weights_only=True)
        subject.module.load_state_dict(table)
    except Exception as error:  # damaged files and other networks fail in many ways
        raise ModelError(f"{path}: cannot be put into the network: {type(error).__name__}: {error}") from error
    return subject


def _network(path: Path, member: str, told: Description) -> tuple[ModelEntry, list[Path]]:
    """Return the entry of the network, and the files that the model is made of."""
    files = [path]
    network = told.network
    if told.weights:
        files.append(path.parent / told.weights)
        if not files[-1].is_file():
            raise DataError(f"{path} [{member}]: weights is {told.weights!r}: there is no file {files[-1]}")
    if network.endswith(".pt2"):
        program = path.parent / network
        if not program.is_file():
            raise DataError(f"{path} [{member}]: network is {network!r}: there is no file {program}")
        return exported.bare(str(program)), files
    try:
        return models[network], files
    except (UnknownName, InvalidModel) as error:
        raise InvalidModel(f"{path} [{member}]: network is {network!r}: {error}") from None


__all__ = ["Description", "HeadTable", "ReadoutTable", "TimeTable", "beside_program", "described", "in_file", "read"]
