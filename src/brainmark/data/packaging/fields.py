"""Lists every field of a description, as the page of the reference and ``brainmark package --fields`` show them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from brainmark.core.registry import discover
from brainmark.data.packaging.description import FORMATS, Description, Recordings, StimulusPart, TablePart

_TYPES = {
    "string": "text", "boolean": "true or false", "integer": "whole number", "number": "number",
    "known": 'number or "unknown"', "conditions": "conditions",
}  # fmt: skip


def list_fields() -> str:
    """Return all fields in Markdown: a section for each part of a description, a row for each field."""
    discover("format")
    tables, common = list(TablePart.model_fields), list(Recordings.model_fields)
    sections = [
        _section("The data set", Description, set(Description.model_fields) - {"stimuli", "recording"}),
        _section("`[stimuli]`", StimulusPart, set(StimulusPart.model_fields) - set(tables)),
        _section("`[[recording]]`, all formats", Recordings, common),
    ]
    for name, kind in sorted(FORMATS.items()):
        own = set(kind.model_fields) - set(common) - set(tables)
        if own:
            sections.append(_section(f'`[[recording]]`, format `"{name}"`', kind, own))
    sections.append(_section("How tables are written: `[stimuli]`, formats `table` and `arrays`", TablePart, tables))
    return "\n\n".join(sections) + "\n"


def _section(title: str, kind: type[BaseModel], names: Iterable[str]) -> str:
    wanted, properties = set(names), kind.model_json_schema()["properties"]
    rows = [
        f"| `{name}` | {_say_type(properties[name])} | {_say_default(field)} | {_cell(field.description or '')} |"
        for name, field in kind.model_fields.items()
        if name in wanted
    ]
    return "\n".join([f"## {title}", "", "| field | value | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _say_type(schema: dict[str, Any]) -> str:
    """Return in words what a field takes."""
    if "anyOf" in schema:
        return " or ".join(_say_type(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{_cell(json.dumps(value))}`" for value in schema["enum"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return "[start, end]"
        inner = _say_type(schema.get("items", {}))
        return "list of [start, end]" if inner == "[start, end]" else "list of texts"
    if schema.get("type") == "object":
        return "table of texts"
    return _TYPES[schema["type"]]


def _say_default(field: Any) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    return "" if value in (None, (), {}, "") and value is not False else f"`{_cell(json.dumps(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
