"""The folder: complete or not there, the same bytes again, and nothing changed unnoticed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brainmark
from brainmark.core import DataError, datasets
from brainmark.core.errors import UnknownName
from brainmark.data import writing
from brainmark.data.packaging import CannotPackage, load_package, package, verify_package
from brainmark.data.packaging.description import parse_description
from brainmark.data.packaging.folder import PackageCard, list_sums, read_card
from brainmark.data.writing import write_folder


@pytest.fixture
def out(lab: Any, wide: dict[str, Any]) -> Path:
    """A packaged data set."""
    lab.trials()
    package(parse_description(lab.describe(wide), "lab.toml"), lab.folder, lab.folder / "out")
    return lab.folder / "out"


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_was_packaged_is_loaded(lab: Any, wide: dict[str, Any], out: Path) -> None:
    made, study = lab.prepared(wide).measurement, load_package(out)
    np.testing.assert_array_equal(study.measurement.values, made.values)
    assert study.measurement.identical(made)
    assert study.setting.degrees == 8 and study.setting.duration == 100
    assert study.card.licence == "CC0-1.0" and study.card.species == ("macaque",) and study.card.regions == ("V4",)
    assert study.stimuli.ids.tolist() == lab.ids


def test_the_same_data_are_the_same_bytes(lab: Any, wide: dict[str, Any], out: Path) -> None:
    package(parse_description(lab.describe(wide), "lab.toml"), lab.folder, lab.folder / "again")
    assert content(out) == content(lab.folder / "again")


def test_sha256sum_checks_the_folder(out: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    listed = {line.split("  ", 1)[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    assert listed == set(content(out)) - {"SHA256SUMS"}


@pytest.mark.parametrize("name", ["measurement.nc", "stimuli/im03.png", "stimuli.csv", "card.toml"])
def test_a_changed_file_is_noticed(out: Path, name: str) -> None:
    path = out / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DataError, match=f"{name} was changed"):
        load_package(out)


def test_missing_and_additional_files_are_noticed(out: Path) -> None:
    (out / "stimuli" / "new.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"stimuli/new.png is not in SHA256SUMS"):
        verify_package(out)
    (out / "stimuli" / "im00.png").unlink()
    with pytest.raises(DataError, match=r"stimuli/im00.png is missing; stimuli/new.png is not in SHA256SUMS"):
        verify_package(out)


def list_again(out: Path) -> None:
    """Make the list of files agree with them, as somebody who changed them on purpose would."""
    names = [name for name in content(out) if name != "SHA256SUMS" and not name.startswith(".")]
    (out / "SHA256SUMS").write_bytes(list_sums({name: out / name for name in names}))


@pytest.mark.parametrize(
    "name", ["{base}/im.png", "../im.png", "stimuli/../../im.png", ".hidden.png", "stimuli//im03.png"]
)
def test_stimuli_outside_the_listed_files_are_refused(out: Path, name: str) -> None:
    """The hash of a package did not cover them: they could change, and the scores with them, without a trace."""
    name = name.format(base=out.parent)
    for place in (out.parent / "im.png", out / ".hidden.png"):
        shutil.copy(out / "stimuli" / "im03.png", place)
    table = out / "stimuli.csv"
    table.write_text(table.read_text().replace("stimuli/im03.png", name))
    list_again(out)
    with pytest.raises(DataError, match=r"stimuli\.csv: filename of stimulus '.*' is '.*', which SHA256SUMS does not"):
        load_package(out)


@pytest.mark.parametrize(
    "name", ["{base}/im.png", "../im.png", "a/../../im.png", "C:im.png", "..\\im.png", "./card.toml"]
)
def test_a_list_of_files_names_only_files_of_the_folder(out: Path, name: str) -> None:
    shutil.copy(out / "stimuli" / "im03.png", out.parent / "im.png")
    sha = hashlib.sha256((out.parent / "im.png").read_bytes()).hexdigest()
    with (out / "SHA256SUMS").open("a") as file:
        file.write(f"{sha}  {name.format(base=out.parent)}\n")
    with pytest.raises(DataError, match=r"SHA256SUMS, line \d+: '.*' is not a name inside the folder"):
        verify_package(out)


def test_a_list_of_files_names_each_once_and_says_which_line_is_broken(out: Path) -> None:
    sums = out / "SHA256SUMS"
    lines = sums.read_text()
    sums.write_text(lines + lines.splitlines()[0] + "\n")
    with pytest.raises(DataError, match=r"line \d+: 'card.toml' is listed twice"):
        verify_package(out)
    sums.write_text("nonsense\n" + lines)
    with pytest.raises(DataError, match="line 1: is not a sha256 and a name: 'nonsense'"):
        verify_package(out)


def test_a_broken_card_names_its_field(out: Path) -> None:
    path = out / "card.toml"
    path.write_text(path.read_text().replace('modality = "image"', 'modality = "smell"'))
    with pytest.raises(DataError, match="modality"):
        read_card(out)
    path.write_text("no toml")
    with pytest.raises(DataError, match=r"card\.toml"):
        read_card(out)


def test_any_text_survives_the_card() -> None:
    import tomllib

    awkward = 'a "b" \\ c\ttab é \x7f 漢'
    card = PackageCard(
        identifier="X2026", summary=awkward, licence="MIT", cite='@misc{x, title = {"Q" \\"o},\n  author = {Ö},\n}',
        domain="vision", species=("a'b",), regions=(), modality="image", kind="recording",
        notes=("one\ntwo '''", awkward), sources={'dir/"x".csv': "0" * 64},
    )  # fmt: skip
    assert PackageCard.model_validate(tomllib.loads(card.as_toml().decode())) == card


def test_a_package_names_no_place_on_the_machine(lab: Any) -> None:
    np.savez(lab.folder / "r.npz", values=np.random.default_rng(0).normal(size=(12, 3)), ids=lab.ids)
    said = {"units": "z", "region": "V4", "subject": "Ada", "coords": {"stimulus_id": "ids"}}
    source = {"file": str(lab.folder / "r.npz"), "dims": ["presentation", "neuroid"], **said}
    package(parse_description(lab.describe(source), "lab.toml"), lab.folder, lab.folder / "out")
    card = read_card(lab.folder / "out")
    assert card.notes == ("r.npz: neuroids have no identifiers; they are numbered from 0",)
    assert list(card.sources) == ["r.npz"]
    assert not [p for p, b in content(lab.folder / "out").items() if str(lab.folder).encode() in b]


# --- whole or not at all ---------------------------------------------------------------------------------------------


def test_a_package_is_replaced_only_if_that_is_said(lab: Any, wide: dict[str, Any], out: Path) -> None:
    told = parse_description(lab.describe(wide, licence="MIT"), "lab.toml")
    with pytest.raises(DataError, match="is there already; replace it"):
        package(told, lab.folder, out)
    package(told, lab.folder, out, replace=True)
    assert read_card(out).licence == "MIT"
    other = lab.folder / "mine"
    other.mkdir()
    with pytest.raises(DataError, match="this one is no package"):
        package(told, lab.folder, other, replace=True)


def test_a_full_disk_leaves_what_was_there(
    lab: Any, wide: dict[str, Any], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(out)
    copied: list[str] = []

    def full(source: str, target: str) -> None:
        copied.append(target)
        if len(copied) % 5 == 0:
            raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(writing.shutil, "copyfile", full)
    told = parse_description(lab.describe(wide, licence="MIT"), "lab.toml")
    with pytest.raises(DataError, match="No space left"):
        package(told, lab.folder, out, replace=True)
    assert content(out) == before
    with pytest.raises(DataError, match="No space left"):
        package(told, lab.folder, lab.folder / "new")
    leftovers = [p.name for p in lab.folder.iterdir() if p.name.startswith(".")]
    assert leftovers == [] and not (lab.folder / "new").exists()


def test_refused_data_write_nothing(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    with pytest.raises(CannotPackage):
        package(parse_description(lab.describe(wide, licence=None), "lab.toml"), lab.folder, lab.folder / "out")
    assert not (lab.folder / "out").exists()


# --- by path ---------------------------------------------------------------------------------------------------------


def test_a_data_set_is_found_by_its_path(out: Path) -> None:
    study = brainmark.load_dataset(str(out))
    assert study.identifier == str(out) and study.measurement.sizes["presentation"] == 12
    assert str(out) not in datasets, "what is found is not listed"
    assert datasets[str(out / "card.toml")].card == datasets[str(out)].card
    for name in ("no/such/folder", str(out.parent), "a\0b", "x" * 5000):
        with pytest.raises(UnknownName):
            brainmark.load_dataset(name)


def test_its_files_are_local(out: Path) -> None:
    from brainmark.data.fetch import fetch, where

    entry = datasets[str(out)]
    assert {where(source).state for source in entry.card.sources} == {"local"}
    assert {fetch(source).name for source in entry.card.sources} == {"measurement.nc", "stimuli.csv", "SHA256SUMS"}
    (out / "stimuli.csv").write_text("changed")
    assert where(entry.card.sources[1]).state == "damaged"
    with pytest.raises(DataError, match="wrong content"):
        fetch(entry.card.sources[1])
    (out / "stimuli.csv").unlink()
    assert where(entry.card.sources[1]).state == "missing"


def test_a_file_in_the_place_of_a_folder_gives_way_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("a file")
    with pytest.raises(FileExistsError):
        write_folder(tmp_path / "set", {"a.txt": b"1"})
    write_folder(tmp_path / "set", {"a.txt": b"1"}, replace=True)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["set", "set/a.txt"]


def test_an_interrupted_exchange_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "set", {"a.txt": b"1"})
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "set", {"a.txt": b"2"}, replace=True)
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["set", "set/a.txt"]
    assert (tmp_path / "set" / "a.txt").read_bytes() == b"1"


def test_texts_that_look_like_numbers_come_back_as_they_were_written(lab: Any) -> None:
    texts = ["007", "1.50", "12", "TRUE"]
    (lab.folder / "texts.csv").write_text("stimulus_id,text\n" + "".join(f"{k},{t}\n" for k, t in enumerate(texts)))
    lab.table("rates.csv", [{"stimulus_id": k, "u0": float(k)} for k in range(4)])
    source = {"file": "rates.csv", "neuroids": "u0", "region": "language_system", "subject": "Ada", "units": "1"}
    said = {"stimuli": {"table": "texts.csv"}, "modality": "text", "domain": "language", "degrees": None}
    description = parse_description(lab.describe(source, **said, duration=None, species="human"), "lab.toml")
    package(description, lab.folder, lab.folder / "out")
    stimuli = load_package(lab.folder / "out").stimuli
    assert stimuli is not None
    assert [stimuli.media[k] for k in range(4)] == texts
    assert len(stimuli.digest) == 64
