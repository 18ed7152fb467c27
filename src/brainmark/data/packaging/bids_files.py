"""What the files of a BIDS data set say by their names and beside them: entities, events, sidecars, participants."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brainmark.core.errors import DataError
from brainmark.core.libraries import pd
from brainmark.data.packaging.problems import Problems, some
from brainmark.data.packaging.sessions import common_name
from brainmark.data.readers.damage import explain_damage
from brainmark.data.readers.text import read_json

_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([^_]+)")
_INDICES = frozenset({"run", "echo", "flip", "inv", "split", "chunk"})  # 1 and 01 are the same
ENTITIES = (
    "sub", "ses", "sample", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "hemi", "space", "cohort",
    "atlas", "seg", "res", "den", "label", "desc", "model", "contrast", "stat", "split", "recording", "proc", "mod",
    "inv", "flip",
)  # fmt: skip
"""Parts of the names of files."""
_REQUIRED = ("sub", "ses", "task", "run")  # of a file of events, where its name has them
_LINKED = (*_REQUIRED, "acq", "ce", "rec", "dir")


def entities(path: Path) -> dict[str, str]:
    """Return the entities in the name of a file: ``sub-01_task-x_bold.nii`` -> {"sub": "01", "task": "x"}."""
    return dict(_ENTITY.findall(path.name.partition(".")[0]))


def fill(pattern: str, own: Mapping[str, str]) -> list[str]:
    """Return a pattern with the entities of a file in it; of a number such as a run, 1, 01 and 001 are the same."""
    filled = [pattern]
    for name, value in own.items():
        mark = f"{{{name}}}"
        ways = [value]
        if name in _INDICES and value.isdigit():
            ways = list(dict.fromkeys([value, *(f"{int(value):0{digits}d}" for digits in (1, 2, 3))]))
        filled = [one.replace(mark, way) for one in filled for way in (ways if mark in one else [value])]
    return filled


def simplify(name: str, value: str | None) -> str | None:
    """Return the value of an entity as it is compared."""
    return str(int(value)) if value is not None and name in _INDICES and value.isdigit() else value


def find_events(path: Path, candidates: Sequence[Path]) -> list[Path]:
    """Return the files of events that belong to a file of data: those whose names say most of it and nothing else."""
    own = entities(path)
    fits: dict[Path, int] = {}
    for candidate in candidates:
        said = {k: simplify(k, v) for k, v in entities(candidate).items() if k in _LINKED}
        same = {k for k, v in said.items() if simplify(k, own.get(k)) == v}
        lacking = {k for k in said.keys() - same if k not in own and k not in _REQUIRED}
        if same | lacking == said.keys():
            fits[candidate] = len(same) - len(lacking)
    most = max(fits.values(), default=0)
    return [candidate for candidate, score in fits.items() if score == most]


def check_choices(choices: Mapping[str, str], paths: Sequence[Path], problems: Problems) -> list[Path]:
    """Return the files whose names have the entities that are chosen; an empty value stands for names without it."""
    for name, value in choices.items():
        if name not in ENTITIES:
            problems.add(f"entities.{name} is no part of the names of files; use one of {', '.join(ENTITIES)}")
            continue
        kept = [p for p in paths if (simplify(name, entities(p).get(name)) or "") == (simplify(name, value) or "")]
        if not kept and paths:
            there = sorted({entities(p).get(name, "") for p in paths})
            problems.add(f"entities.{name} = {value!r} is in the name of no file; they have {some(there)}")
        paths = kept
    return list(paths)


def refuse_twins(groups: Mapping[Any, Sequence[Path]], problems: Problems) -> None:
    """Refuse several files of one run, such as its copies in two spaces: they are not further trials.

    The two hemispheres of a run are one. `groups`: files by the run that they hold.
    """
    for paths in groups.values():
        by_hemisphere: dict[str, list[Path]] = {}
        for path in paths:
            by_hemisphere.setdefault(entities(path).get("hemi", ""), []).append(path)
        twins = next((p for p in by_hemisphere.values() if len(p) > 1), paths if "" in by_hemisphere else [])
        if len(twins) > 1:
            names = list(dict.fromkeys(n for p in twins for n in entities(p)))
            values = {n: sorted({entities(p).get(n, "") for p in twins}) for n in names}
            differ = {n: v for n, v in values.items() if len(v) > 1}
            what = (
                ", ".join(f"{n} ({some(v)})" for n, v in differ.items())
                or f"their endings ({some(p.name for p in twins)})"
            )
            way = next((f'entities.{n} = "{v[-1]}", or ' for n, v in differ.items()), "")
            problems.add(
                f"{twins[0]}: {len(twins)} files hold the same run and differ in {what}; choose one: {way}a narrower "
                "file = ..."
            )


# --- beside the data -------------------------------------------------------------------------------------------------


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read the JSON beside a file, or above it under the inheritance principle; nearest first. Raises DataError."""
    own = entities(path)
    suffix = path.name.partition(".")[0].rpartition("_")[2]
    found: dict[str, Any] = {}
    for folder in (path.parent, *path.parents[1:6]):
        for candidate in sorted(folder.glob(f"*{suffix}.json"), key=lambda p: -len(p.name)):
            if all(simplify(k, own.get(k)) == simplify(k, v) for k, v in entities(candidate).items()):
                found = read_json(candidate) | found
        if (folder / "dataset_description.json").is_file():
            break
    return found


def read_facts(path: Path, problems: Problems) -> dict[str, Any]:
    """Return what the data set states of itself: licence, species. What cannot be read is noted, and not used."""
    facts: dict[str, Any] = {}
    for folder in path.parents[:8]:
        described, people = folder / "dataset_description.json", folder / "participants.tsv"
        try:
            licence = read_json(described).get("License") if described.is_file() else None
            if licence:
                facts.setdefault("licence", str(licence))
            if people.is_file() and "species" not in facts:
                facts |= _read_species(people, f"sub-{entities(path).get('sub')}")
        except DataError as error:
            problems.note(f"{error}; it is not used")
    return facts


def _read_species(people: Path, person: str) -> dict[str, str]:
    with explain_damage(people, "cannot be read as a table"):
        text = people.read_bytes().decode("utf-8-sig", errors="replace")  # names may be in any encoding
        table = pd.read_csv(io.StringIO(text), sep="\t", dtype=str, keep_default_na=False, na_values=["", "n/a"])
    if not {"participant_id", "species"} <= set(table.columns):
        return {}
    species = table[table["participant_id"] == person]["species"].dropna()
    return {"species": common_name(str(species.iloc[0]))} if len(species) else {}


def labels_beside(path: Path) -> dict[int, str]:
    """Return the names of the labels of an atlas, from the table beside it or above it. Raises DataError."""
    own, stem = entities(path), path.name.partition(".")[0]
    for folder in (path.parent, *path.parents[1:6]):
        for table in sorted(folder.glob("*.tsv"), key=lambda p: (p.stem != stem, -len(p.name))):
            suffix_fits = table.stem == stem or table.stem.rpartition("_")[2] == stem.rpartition("_")[2]
            if not suffix_fits or not entities(table).items() <= own.items():
                continue
            with explain_damage(table, "cannot be read as a table"):
                rows = pd.read_csv(table, sep="\t", dtype=str)
                if {"index", "name"} <= set(rows.columns):
                    return {int(float(k)): str(v) for k, v in zip(rows["index"], rows["name"], strict=True)}
        if (folder / "dataset_description.json").is_file():
            break
    return {}
