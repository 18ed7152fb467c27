"""Cards: what is known about a registered thing. Data only; unknown fields are refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from brainmark.core.errors import InvalidRegistration, suggest
from brainmark.core.references import bibtex
from brainmark.core.vocabulary import AnyDomain, Compared, Domain, Modality


def _read_citations(text: str) -> str:
    """Return the BibTeX entries; each has a key, an author or title, and balanced braces."""
    text = bibtex(text).strip()
    if not re.match(r"@\w+\{[^,\s]+,", text) or text.count("{") != text.count("}"):
        raise ValueError(f"not a BibTeX entry like '@article{{key, title={{...}}, ...}}': {text[:60]!r}")
    if not re.search(r"\b(author|title)\s*=", text):
        raise ValueError(f"the BibTeX entry names neither author nor title: {text[:60]!r}")
    return text


BibTeX = Annotated[str, AfterValidator(_read_citations)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sha1 = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Line = Annotated[str, Field(min_length=1, pattern=r"^\S")]


class StrictCard(BaseModel):
    """A card that cannot be changed, and refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Source(StrictCard):
    """One published file: where it is, and which bytes it must have.

    A sha256 comes with the size. Files that their publisher registered with a sha1 alone may be registered so.
    """

    url: Line
    sha256: Sha256 | None = None
    size: int | None = Field(default=None, ge=0, description="bytes")
    sha1: Sha1 | None = None

    @model_validator(mode="after")
    def _check_identity(self) -> Source:
        if self.sha256 is None and self.sha1 is None:
            raise ValueError("a source names a sha256 (with the size), or the sha1 under which it was published")
        if self.sha256 is not None and self.size is None:
            raise ValueError("a source with a sha256 must state its size")
        return self

    @property
    def algorithm(self) -> Literal["sha256", "sha1"]:
        """The hash by which the file is known; sha256 where there are both."""
        return "sha256" if self.sha256 else "sha1"

    @property
    def digest(self) -> str:
        """The hash itself, hexadecimal."""
        return self.sha256 or self.sha1 or ""


class Card(StrictCard):
    """What every registered thing states about itself."""

    summary: Line = Field(description="one sentence")
    licence: Line
    cite: BibTeX = Field(description="keys of references.bib, or BibTeX; read as BibTeX")
    version: int = Field(default=1, ge=1, description="raised by hand when its numbers change: older scores go")

    if not TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None:
            """Raise InvalidRegistration, in one line, where fields are missing, unknown or wrong."""
            try:
                super().__init__(**fields)
            except ValidationError as error:
                kind = type(self)
                wrong = "; ".join(_say_what_is_wrong(one, tuple(kind.model_fields)) for one in error.errors())
                raise InvalidRegistration(f"{kind.__name__}: {wrong}") from error


def _say_what_is_wrong(error: Any, known: tuple[str, ...]) -> str:
    field = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"field {field!r} is missing"
    if error["type"] == "extra_forbidden":
        near = suggest(field, known, most=1)
        offer = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown field {field!r}{offer} (fields: {', '.join(known)})"
    text = " ".join(error["msg"].removeprefix("Value error, ").split())
    return f"{field}: {text}" if field else text


class ModelCard(Card):
    """A candidate model."""

    domain: Domain
    family: Line
    regions: tuple[str, ...] = Field(description="regions it commits to; empty if it answers none")
    degrees: float | None = Field(default=None, gt=0, description="field of view in degrees of visual angle")
    tags: tuple[str, ...] = ()


class DatasetCard(Card):
    """A set of recordings or choices. Real ones name the files that they are made of."""

    domain: Domain
    species: tuple[str, ...] = Field(min_length=1)
    regions: tuple[str, ...]
    modality: Modality
    sources: tuple[Source, ...]
    simulated: bool = False
    tags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_sources(self) -> DatasetCard:
        if not self.sources and not self.simulated:
            raise ValueError("a dataset names at least one source (url, sha256, size), or is simulated")
        return self


class MetricCard(Card):
    """A way to compare a model's measurement with a brain's."""

    domain: AnyDomain = "any"
    compares: Compared
    chance: float | None = Field(default=0.0, description="expected value without any relation; None: depends")
    on_device: bool = Field(default=False, description="computed on the device of the run; others on the CPU")
    tags: tuple[str, ...] = ()


class BenchmarkCard(Card):
    """An experiment with its target, metric, ceiling and controls."""

    domain: Domain
    species: tuple[str, ...] = Field(min_length=1)
    region: Line
    parent: Line = Field(description="node of the benchmark tree, e.g. 'V4'")
    datasets: tuple[str, ...] = Field(min_length=1)
    metric: Line
    tree: str = Field(
        default="", pattern=r"^\w*$", description="prefix of a tree of its own, whose numbers are of another convention"
    )
    simulated: bool = False
    visibility: Literal["public", "private"] = "public"
    superseded_by: str | None = Field(default=None, description="the benchmark that counts in its place")
    tags: tuple[str, ...] = ()
