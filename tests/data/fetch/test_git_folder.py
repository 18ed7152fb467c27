from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from brainmark.core import DataError, InvalidRegistration
from brainmark.data.fetch import GitFolder, read_list

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {"a b/c.txt": b"one", "d.csv": b"two"}


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with the folder data/set of a repository; returns that folder."""
    root = tmp_path / "mirror"
    folder = root / "raw.githubusercontent.com" / "owner" / "repo" / COMMIT / "data" / "set"
    for name, content in {**FILES, ".hidden": b"x", ".git/config": b"x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    monkeypatch.setenv("BRAINMARK_MIRROR", str(root))
    return folder


def folder(**changes: object) -> GitFolder:
    files = {name: (hashlib.sha256(content).hexdigest(), len(content)) for name, content in FILES.items()}
    return GitFolder(**{"address": f"owner/repo@{COMMIT}/data/set", "files": files, **changes})


def test_every_file_is_a_source_at_the_commit() -> None:
    first, second = folder().sources
    base = f"https://raw.githubusercontent.com/owner/repo/{COMMIT}"
    assert first.url == f"{base}/data/set/a%20b/c.txt"
    assert first.size == 3
    assert second.url == f"{base}/data/set/d.csv"
    assert folder(address=f"owner/repo@{COMMIT}").source("d.csv").url == f"{base}/d.csv"


def test_files_are_found_in_a_mirror(mirror: Path) -> None:
    assert folder().fetch("a b/c.txt") == mirror / "a b" / "c.txt"
    assert folder().fetch_all() == {name: mirror / name for name in FILES}
    assert folder().fetch_all(["d.csv"]) == {"d.csv": mirror / "d.csv"}


def test_an_unknown_file_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"owner/repo@.*set: no file 'd\.cs' is registered; did you mean 'd\.csv'"):
        folder().source("d.cs")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"address": "owner/repo@main/data"}, "'owner/repo@main/data': say owner/repository@commit/folder"),
        ({"address": f"repo@{COMMIT}"}, "say owner/repository@commit/folder"),
        ({"files": {}}, "no file"),
    ],
)
def test_branches_and_empty_folders_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidRegistration, match=reason):
        folder(**changes)


def test_a_list_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "files.tsv"
    path.write_text(f"# head\n{'0' * 64}\t3\ta\n{'0' * 64} 3 b\n")
    with pytest.raises(InvalidRegistration, match=r"files\.tsv, line 3: not 'sha256<TAB>bytes<TAB>path'"):
        read_list(path)
