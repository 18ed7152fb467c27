"""What a subject commits to, in words: layers, what it is shown, and which of it nobody stated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brainmark.core.subject import Subject
from brainmark.models.subjects.classes import IMAGENET, class_count
from brainmark.models.subjects.language import LanguageSubject
from brainmark.models.subjects.readout import Readout, as_readout
from brainmark.models.subjects.vision import VisionSubject

_HOW_STATED: Mapping[str, str] = {
    "degrees": "degrees = ...", "size": "size = ...", "mean": "mean = [...]",
    "std": "std = [...]", "head": "head = ...", "behavior": "behavior = ...",
}  # fmt: skip


def describe_subject(subject: Subject) -> dict[str, str]:
    """Return what a network commits to, by name; a guess is called one, with the line of a models.toml that states it.

    Nothing for subjects that are no torch networks.
    """
    if isinstance(subject, VisionSubject):
        return _describe_vision(subject)
    if isinstance(subject, LanguageSubject):
        fields = {name: f"{getattr(subject, name)} tokens" for name in ("window", "overlap") if getattr(subject, name)}
        if subject.behavior:
            fields["behavior"] = _describe_readout(subject.behavior)
        return {**_describe_regions(subject.regions), **fields}
    return {}


def _describe_vision(subject: VisionSubject) -> dict[str, str]:
    def guessed(name: str, region: str = "IT") -> str:
        way = f"regions.{region} = ..." if name == "regions" else _HOW_STATED[name]
        return f"  (a guess; to state it: {way})" if name in subject.guesses else ""

    head = subject.head
    if head is None:
        naming = "none"
    else:
        what = "the classes of ImageNet" if head.classes == IMAGENET else ", ".join(head.classes[:5])
        naming = f"{head.layer}: {class_count(head.classes)} logits ({what})"
    lines = _describe_regions(subject.regions).items()
    regions = {
        name: text + guessed("regions", name.removeprefix("layer of ").replace("every region", "IT"))
        for name, text in lines
    }
    behavior = subject.behavior or subject.regions.get("IT")
    return {
        **regions,
        "behavior": (_describe_readout(behavior) if behavior else "none") + guessed("behavior"),
        "degrees": f"{subject.degrees:g}{guessed('degrees')}",
        "size": f"{subject.size} pixels{guessed('size')}",
        "mean": _describe_numbers(subject.mean) + guessed("mean"),
        "std": _describe_numbers(subject.std) + guessed("std"),
        "channels": subject.channels,
        "head": naming + guessed("head"),
    }


def _describe_regions(regions: Mapping[str, str | Readout]) -> dict[str, str]:
    """Return a line for each region, or one if all are alike."""
    lines = {f"layer of {region}": _describe_readout(given) for region, given in regions.items()}
    same = len(set(lines.values())) == 1 < len(lines)
    return {"layer of every region": next(iter(lines.values()))} if same else lines


def _describe_readout(given: str | Readout) -> str:
    readout = as_readout(given)
    table: dict[str, Any] = {name: value for name, value in readout.as_table().items() if name not in ("layer", "pool")}
    parts = [", ".join(readout.layers)]
    if isinstance(readout.pool, int):
        parts.append(f"maps averaged to {readout.pool} x {readout.pool}")
    elif readout.pool:
        parts.append(f"tokens: {readout.pool}")
    return "; ".join([*parts, *(f"{name} {value}" for name, value in table.items())])


def _describe_numbers(values: Any) -> str:
    return ", ".join(f"{float(value):.4g}" for value in values)
