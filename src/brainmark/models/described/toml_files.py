"""Models described in a TOML file: where the network is, and what its layers and pixels stand for. No code.

.. code-block:: toml

    [my-resnet]
    source = "timm/resnet18.a1_in1k"    # or torchvision/..., hf/..., module:function, network.pt2, a registered name
    weights = "epoch90.safetensors"     # optional: a table of weights to put into the network
    degrees = 8.0                       # field of view
    size = 224                          # of the input, in pixels
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    behavior = "global_pool"
    regions.V1 = "layer1"
    regions.IT = { layer = "layer4", pool = 7 }
    head = { layer = "output", classes = "imagenet" }

    [my-larger-resnet]
    like = "my-resnet"                  # what is not said here stands there
    source = "timm/resnet50.a1_in1k"

Language networks take ``window``, ``overlap``, ``begin`` and ``as_shown`` in place of what is seen, and name how tokens
are pooled: ``regions.language_system = { layer = "transformer.h.5", pool = "mean" }``; see `language.LanguageSubject`.
It can be several layers, some of their units, or brought to unit length:
``{ layer = ["h.4", "h.5"], units = { "h.4" = [7, 9], "h.5" = [0] }, unit_length = true }``.

Paths are relative to the file. What is left out is as the network has it under its own name. Networks with much in
common are ``like = "x"`` a table ``[family.x]``, which is no model. The zoo itself is such a file, ``models/zoo.toml``,
and its families can be named in every file: ``like = "imagenet"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from brainmark.core.cards import ModelCard
from brainmark.core.errors import DataError, InvalidModel, InvalidRegistration, UnknownName
from brainmark.core.registry import Entry
from brainmark.core.source_code import digest_code, is_our_code
from brainmark.core.subject import Subject
from brainmark.data.fetch import file_digest
from brainmark.data.readers.text import parse_toml, read_text
from brainmark.models import described
from brainmark.models.described.description import HeadTable, ModelDescription, ReadoutTable, WeightsTable
from brainmark.models.described.model import DEGREES, DescribedModel, factory
from brainmark.models.sources.names import ModelEntry, card_for, find_source
from brainmark.models.sources.source import digest_over
from brainmark.models.subjects.readout import LANGUAGE_REGIONS

ZOO_FILE = Path(__file__).parents[1] / "zoo.toml"
FAMILY, LIKE = "family", "like"
_above: ContextVar[tuple[tuple[Path, str], ...]] = ContextVar("above", default=())  # models whose source is being found


def read_models(path: Path) -> dict[str, ModelDescription]:
    """Return the models of a file by name.

    Raises
    ------
    DataError : the file is not there.
    InvalidModel : it is no TOML, or a field is not as it has to be; names file, model, field and value.
    UnknownName : a field, or what a model is like, is not known.
    """
    tables, families = _tables_and_families(path)
    if not tables:
        raise InvalidModel(f"{path}: describes no model; begin with [name] and source = ...")
    known = (_families_of_zoo() if path != ZOO_FILE else {}) | tables | families
    return {name: _description(path, name, _complete(path, name, table, known)) for name, table in tables.items()}


@cache
def _families_of_zoo() -> dict[str, Any]:
    """Return the families of the zoo, each with all that it takes over from others."""
    _, families = _tables_and_families(ZOO_FILE)
    return {name: _complete(ZOO_FILE, name, table, families) for name, table in families.items()}


def describe_like(path: Path, table: Mapping[str, Any]) -> ModelDescription:
    """Return the description of a table that is ``like`` a family of a file."""
    _, families = _tables_and_families(path)
    return _description(path, str(table[LIKE]), _complete(path, "", dict(table), families))


def describe(name: str, path: Path, member: str) -> ModelEntry:
    """Return the model `member` of a file; without it, the only one. Raises as `read_models`, and UnknownName."""
    found = read_models(path)
    if not member and len(found) == 1:
        member = next(iter(found))
    if member not in found:
        raise UnknownName(f"model of {path}", member, found, f" (it describes: {', '.join(found)})")
    return _entry(name, path, member, found[member])


def in_file(path: Path, names: list[str]) -> list[str]:
    """Return the names, those of models of the file and of their twins (``name:random``) as ``file#name``."""
    known = read_models(path)
    return [f"{path}#{name}" if name in known or name.partition(":random")[0] in known else name for name in names]


def beside_program(name: str, path: Path) -> ModelEntry:
    """Return the model of an exported program that a file of the same name describes, without a table around it."""
    table = {"source": Path(name).name, **_tables(path)}
    return _entry(name, path, path.stem, _description(path, path.stem, table))


def _tables_and_families(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    tables = _tables(path)
    families = tables.get(FAMILY, {})
    if not isinstance(families, dict):
        raise InvalidModel(f"{path}: {FAMILY} is {families!r}; at the top of a file it is tables [{FAMILY}.NAME]")
    return tables, {} if "source" in families else tables.pop(FAMILY, {})


def _tables(path: Path) -> dict[str, Any]:
    text = read_text(path)
    try:
        return parse_toml(text, path)
    except DataError as error:
        raise InvalidModel(str(error)) from error


def _complete(path: Path, name: str, table: Any, known: Mapping[str, Any], above: tuple[str, ...] = ()) -> Any:
    """Return a table with all that it takes over from the one that it is like, and so on."""
    if not isinstance(table, dict) or LIKE not in table:
        return table
    like = table[LIKE]
    if like == name and not above and path != ZOO_FILE and known.get(name) is table:  # the family, not itself
        known = {**known, **_families_of_zoo()}
    if not isinstance(like, str) or not isinstance(known.get(like, {}), dict):
        raise InvalidModel(f"{path} [{name}]: {LIKE} is {like!r}, which is no model or family")
    if like not in known:
        raise UnknownName(f"model or family that [{name}] of {path} is like", like, known)
    if like in above:
        raise InvalidModel(f"{path} [{name}]: like is {like!r}, which leads back to itself")
    return _merge(_complete(path, like, known[like], known, (*above, like)), table)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both tables as one; where both say something, `above` is right."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merge(below[key], above[key])
    return {key: value for key, value in merged.items() if key != LIKE}


def _description(path: Path, name: str, table: Any) -> ModelDescription:
    try:
        return ModelDescription.model_validate(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])  # not what it then lacks
        place = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            tables = (ModelDescription, ReadoutTable, HeadTable, WeightsTable)
            known = [field for table in tables for field in table.model_fields]
            raise UnknownName(f"field of {path} [{name}]", ".".join(place), known) from None
        field = ".".join(place) or "the model"
        raise InvalidModel(f"{path} [{name}]: {field} is {first['input']!r}: {first['msg']}") from None


def _entry(name: str, path: Path, member: str, spec: ModelDescription) -> ModelEntry:
    folder = path.parent
    if spec.weights and spec.weights.file and not (file := folder / spec.weights.file).is_file():
        raise DataError(f"{path} [{member}]: weights is {spec.weights.file!r}: there is no file {file}")
    here, above = (path.resolve(), member), _above.get()
    if here in above:
        raise InvalidModel(f"{path} [{member}]: source is {spec.source!r}, which leads back to itself")
    token = _above.set((*above, here))
    try:
        source = find_source(spec.source, folder, spec.arguments)
        source.check()
    except (UnknownName, InvalidModel) as error:
        raise InvalidModel(f"{path} [{member}]: source is {spec.source!r}: {error}") from None
    except DataError as error:
        raise DataError(f"{path} [{member}]: source is {spec.source!r}: {error}") from None
    finally:
        _above.reset(token)
    model = DescribedModel(name, source, spec, folder)
    given = source.content or (None if source.named else model.maker.content)

    def load(options: Mapping[str, Any]) -> Subject:
        try:
            subject = model.load(options)
        except InvalidModel as error:
            raise InvalidModel(f"{path} [{member}]: {error}") from None
        described.check_layers(path, member, subject)
        return subject

    def content() -> str | None:
        digest = given() if given else spec.source
        return digest and digest_description(spec, folder, digest)

    made = factory(load, model.options, source.code)
    return Entry("model", name, made, _card(name, path, member, spec, source.facts()), content)


def digest_description(spec: ModelDescription, folder: Path, *network: str | None) -> str:
    """Return a digest of a description, what it says of the network, and the files and code that change its weights."""
    weights = spec.weights or WeightsTable()
    files = [folder / weights.file] if weights.file else []
    mending = (weights.mend or "").partition(":")[0]
    code = digest_code(mending) if mending and not is_our_code(mending) else None
    return digest_over(spec.identity, *network, code, *map(file_digest, files))


def _card(name: str, path: Path, member: str, spec: ModelDescription, facts: Mapping[str, Any]) -> ModelCard:
    """Return what a file says of a model, completed by what is known of its network."""
    domain = facts.get("domain", "vision")
    known: dict[str, Any] = {
        "what": member,
        "where": path.name,
        "licence": spec.licence,
        "summary": spec.summary or f"{member}: {spec.source}, as {path.name} describes it.",
        "domain": domain,
        "degrees": None if domain == "language" else spec.degrees or facts.get("degrees") or DEGREES,
        "family": spec.family or facts.get("family"),
        "regions": tuple(spec.regions) or facts.get("regions"),
        "cite": spec.cite,
        "tags": spec.tags or None,
        "version": spec.version if "version" in spec.model_fields_set else None,
    }
    try:
        return card_for(spec.source, **{field: value for field, value in known.items() if value is not None})
    except InvalidRegistration as error:
        if not isinstance(error.__cause__, ValidationError):
            raise InvalidModel(f"{path} [{member}]: cite is {spec.cite!r}: {error}") from None
        first = error.__cause__.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidModel(f"{path} [{member}]: {place} is {first['input']!r}: {first['msg']}") from None


def card_of_registered(path: Path, name: str, spec: ModelDescription) -> ModelCard:
    """Return the card of a model that a file registers; nothing is asked of its source.

    Raises
    ------
    InvalidModel : a vision network does not say its regions, or a field does not fit a card.
    """
    takes_text = spec.domain == "language"
    if not (takes_text or spec.regions):
        raise InvalidModel(
            f'{path} [{name}]: regions is {{}}; name the layers of a registered model: regions.IT = "layer4"'
        )
    facts = {"domain": spec.domain or "vision", "family": path.stem, "degrees": spec.degrees if takes_text else None}
    spec = spec.model_copy(update={"regions": {}}) if takes_text else spec
    card = _card(path.stem, path, name, spec, {**facts, "regions": LANGUAGE_REGIONS})
    return card.model_copy(update={"tags": spec.tags})
