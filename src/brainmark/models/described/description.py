"""Descriptions of networks in TOML: where the network is, and what its layers and pixels stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from brainmark.core.cards import ModelCard
from brainmark.core.errors import InvalidModel
from brainmark.models.described.weights import PublishedWeights
from brainmark.models.subjects.readout import LANGUAGE_REGIONS, Head, Pool, Readout, Steps
from brainmark.models.subjects.screen import ChannelOrder

_EXACT = ConfigDict(extra="forbid", strict=True, defer_build=True)


def _list_to_fields(value: Any) -> Any:
    return (
        dict(zip(("start", "step", "count"), value, strict=True))
        if isinstance(value, list) and len(value) == 3
        else value
    )


def _text_to(field: str) -> BeforeValidator:
    """Return a table with one field where a text alone stands for it."""
    return BeforeValidator(lambda value: {field: value} if isinstance(value, str) else value)


def _text_to_weights(value: Any) -> Any:
    """Return the weights that a text alone names, by URL or by file."""
    return {"url" if "://" in value else "file": value} if isinstance(value, str) else value


def _list_to_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _layers(value: Any) -> Any:
    names: list[Any] = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("name a layer, or a list of layers")
    return tuple(names)


def _channels(value: Any) -> Any:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("give three numbers, for red, green and blue")
    return tuple(map(float, value))


class TimeTable(BaseModel):
    """`Steps`, in ms; a list of three numbers is start, step and count."""

    model_config = _EXACT
    start: float
    step: float = Field(gt=0)
    count: int = Field(ge=1)


class ReadoutTable(BaseModel):
    """`Readout`; a text alone is the layer."""

    model_config = _EXACT
    layer: Annotated[tuple[str, ...], BeforeValidator(_layers)]
    pool: Annotated[int, Field(ge=1)] | Pool | None = None
    first: float | None = None
    step: float | None = None
    time: Annotated[TimeTable, BeforeValidator(_list_to_fields)] | None = None
    units: dict[str, list[int]] | None = None
    unit_length: bool = False

    def readout(self, pool: int | None = None) -> Readout:
        """Return it as subjects take it; `pool` is used if the table has none."""
        time = Steps(**self.time.model_dump()) if self.time else None
        return Readout(self.layer, self.pool or pool, self.first, self.step, time, self.units, self.unit_length)


class HeadTable(BaseModel):
    """`Head`: the layer of the logits, and what they stand for; a text alone is the classes."""

    model_config = _EXACT
    layer: str = "output"
    classes: Literal["imagenet"] | Annotated[tuple[str, ...], BeforeValidator(_list_to_tuple), Field(min_length=2)] = (
        "imagenet"
    )


class WeightsTable(BaseModel):
    """`PublishedWeights`; a text alone is a URL, or a file beside that of the description."""

    model_config = _EXACT
    file: str = ""
    url: str = ""
    sha256: str = ""
    inside: Annotated[tuple[str, ...], BeforeValidator(_list_to_tuple)] = ()
    prefix: str = ""
    mend: str | None = None

    def locate(self, folder: Path) -> PublishedWeights:
        """Return the weights; files are looked for in `folder`."""
        file = folder / self.file if self.file else None
        return PublishedWeights(self.url, file, self.sha256, self.inside, self.prefix, self.mend)


Where = Annotated[ReadoutTable, _text_to("layer")]
Channels = Annotated[tuple[float, float, float], BeforeValidator(_channels)]
Names = Annotated[tuple[str, ...], BeforeValidator(_list_to_tuple)]


class ModelDescription(BaseModel):
    """One model of a file; the fields are explained in `brainmark.models.described.toml_files`."""

    model_config = _EXACT
    source: str = Field(min_length=1, validation_alias=AliasChoices("source", "network"))
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    options: dict[str, Any] | None = None
    weights: Annotated[WeightsTable, BeforeValidator(_text_to_weights)] | None = None
    without: Names = ()
    domain: Literal["vision", "language"] | None = None
    summary: str | None = Field(None, min_length=1)
    licence: str = "not stated"
    cite: str | None = None
    version: int = Field(1, ge=1)
    family: str | None = None
    tags: Names = ()
    degrees: float | None = Field(None, gt=0)
    size: int | None = Field(None, ge=1)
    mean: Channels | None = None
    std: Channels | None = None
    channels: ChannelOrder | None = None
    regions: dict[str, Where] = Field(default_factory=dict[str, Where])
    pool: int | None = Field(None, ge=1)
    layer: str | None = None
    behavior: Where | None = None
    head: Annotated[HeadTable, _text_to("classes")] | Literal[False] | None = None
    window: int | None = Field(None, ge=1)
    overlap: int | None = Field(None, ge=0)
    begin: bool | None = None
    as_shown: bool | None = None

    @property
    def identity(self) -> str:
        """All of it that decides what the model answers, as text: not what its card says to people."""
        return self.model_dump_json(exclude={"summary", "licence", "cite", "family", "tags", "version"})

    def fields(self, takes_text: bool) -> dict[str, Any]:
        """Return the description of a language subject, or sees, as fields of its class.

        Raises
        ------
        InvalidModel : a field is for networks of the other kind.
        """
        seen = ("degrees", "size", "mean", "std", "channels", "head", "pool")
        texts = ("window", "overlap", "begin", "as_shown", "layer")
        other = next((n for n in (seen if takes_text else texts) if getattr(self, n) is not None), None)
        if other:
            raise InvalidModel(
                f"{other} is {getattr(self, other)!r}; a {'language' if takes_text else 'vision'} network has none"
            )
        names = texts[:4] if takes_text else seen[:5]
        fields: dict[str, Any] = {n: v for n in names if (v := getattr(self, n)) is not None}
        everywhere = dict.fromkeys(LANGUAGE_REGIONS, self.layer) if self.layer else {}
        regions = everywhere | {region: where.readout(self.pool) for region, where in self.regions.items()}
        if regions:
            fields["regions"] = regions
        if self.behavior:
            fields["behavior"] = self.behavior.readout()
        if self.head is not None:
            fields["head"] = Head(self.head.layer, self.head.classes) if self.head else None
        return fields

    def card(self) -> ModelCard:
        """Return the card of a model whose description says everything, as those of the zoo do."""
        said = {"domain", "licence", "cite", "family", "tags", *(self.model_fields_set & {"version"})}
        facts: Mapping[str, Any] = self.model_dump(include=said)
        regions = tuple(self.regions) if self.domain == "vision" else LANGUAGE_REGIONS
        return ModelCard(**facts, summary=self.summary or "", regions=regions, degrees=self.degrees)
