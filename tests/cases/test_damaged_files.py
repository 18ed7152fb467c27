"""A damaged file ends in one line, never in a traceback of a library, a hang or the end of the process."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brainmark.analysis import score_tables
from brainmark.core import models
from brainmark.core.errors import BrainmarkError, DataError, InvalidModel
from brainmark.data.fetch import places
from brainmark.data.packaging import (
    read_description,
)
from brainmark.data.packaging.problems import CannotPackage
from brainmark.models.described import toml_files

SCRIPT = Path(__file__).with_name("damaged_files.py")
FORMATS = re.findall(r"^def make_(\w+)", SCRIPT.read_text("utf-8"), re.MULTILINE)
SRC = Path(__file__).resolve().parents[2] / "src" / "brainmark"


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, int]]:
    """What became of six damaged files of each format; in a process of its own, which is stopped if it hangs."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SRC.parent), str(SCRIPT.parent)])}
    command = [sys.executable, str(SCRIPT), "all", "6", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_one_line(outcomes: dict[str, dict[str, int]], name: str) -> None:
    assert set(outcomes[name]) <= {"read", "refused"}
    assert sum(outcomes[name].values()) == 6


# --- every reader ----------------------------------------------------------------------------------------------------

READERS = {
    "np.load", "np.loadtxt", "np.lib.format.read_array", "scipy.io.loadmat", "h5py.File", "h5netcdf.File",
    "xr.open_dataset", "xr.load_dataset", "nibabel.load", "zipfile.ZipFile", "tomllib.loads", "pd.read_csv",
}  # fmt: skip
GUARDS = ("explain_damage", "open_hdf5")
VERIFIED = (
    "studies",
    "training",
    "store",
    "data/readers/corpora.py",
    "data/tables.py",
    "run/suites.py",
)  # compared with a sha256 before
ELSEWHERE = {"read_everything", "read_old", "_load_old", "_map_members"}  # in the helper, or inside such a block


def unguarded(tree: ast.Module) -> list[str]:
    """Calls of libraries that read files outside of a block that explains what they raise."""
    found: list[str] = []

    def visit(node: ast.AST, safe: bool) -> None:
        if isinstance(node, ast.FunctionDef) and node.name in ELSEWHERE:
            return
        if isinstance(node, ast.With):
            safe = safe or any(ast.unparse(item).startswith(GUARDS) for item in node.items)
        if isinstance(node, ast.Try):  # what is caught is said
            safe = safe or bool(node.handlers)
        writes = isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value == "w" for a in node.args)
        if isinstance(node, ast.Call) and not safe and not writes and ast.unparse(node.func) in READERS:
            found.append(f"{ast.unparse(node.func)} in line {node.lineno}")
        for child in ast.iter_child_nodes(node):
            visit(child, safe)

    visit(tree, False)
    return found


def test_no_reader_goes_without_an_explanation() -> None:
    places = [p for p in SRC.rglob("*.py") if not p.relative_to(SRC).as_posix().startswith(VERIFIED)]
    found = {str(p.relative_to(SRC)): unguarded(ast.parse(p.read_text("utf-8"))) for p in places}
    assert {place: calls for place, calls in found.items() if calls} == {}


def test_a_reader_without_an_explanation_would_be_seen() -> None:
    source = "with explain_damage(p, 'x'):\n    np.load(p)\ndef f(p):\n    return np.load(p)\n"
    assert unguarded(ast.parse(source)) == ["np.load in line 4"]


def test_hdf5_files_are_opened_in_one_place() -> None:
    found = {
        str(p.relative_to(SRC))
        for p in SRC.rglob("*.py")
        for node in ast.walk(ast.parse(p.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "h5py.File"
    }
    assert found == {"data/readers/hdf5.py"}


DEEP = {"lists": "a = " + "[" * 100_000 + "]" * 100_000, "keys": "a" + ".a" * 3000 + " = 1"}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_no_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "lab.toml").write_text(text)
    with pytest.raises(CannotPackage, match="nested too deeply"):
        read_description(tmp_path / "lab.toml")
    with pytest.raises(InvalidModel, match="nested too deeply"):
        toml_files.read_models(tmp_path / "lab.toml")
    (tmp_path / "a.json").write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(DataError, match="nested too deeply"):
        score_tables.read_table(tmp_path / "a.json")


@pytest.mark.parametrize("text", ['["a"]\nsource = "FILE#a"', '["a"]\nsource = "FILE#b"\n["b"]\nsource = "FILE#a"'])
def test_a_model_whose_source_is_itself(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text.replace("FILE", str(path)))
    with pytest.raises(InvalidModel, match="leads back to itself"):
        models[f"{path}#a"]


def test_the_folder_of_a_user_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINMARK_HOME", "~nobody_of_this_name/x")
    monkeypatch.setenv("BRAINMARK_MIRROR", "~nobody_of_this_name/y")
    assert places.home().name == "x"
    assert places.mirrors()[0].problem
    with pytest.raises(BrainmarkError):
        models["checkpoint:~nobody_of_this_name/net.safetensors"]


ODD_TABLES = {
    "a column of nothing": "model,x\na,\nb,\n", "text": "model,x\na,high\n", "one name": "model,model,x\na,b,1\n",
    "lists": "model\tx\n", "long without values": "model,benchmark,value\na,,\n", "bytes": "model,x\n\udcff,1\n",
    "mixed": "model,benchmark,value\na,x,1\na,x,2\n", "quotes": 'model,x\n"a,1\n',
}  # fmt: skip


@pytest.mark.parametrize("content", ODD_TABLES.values(), ids=ODD_TABLES)
def test_odd_tables_of_scores_are_read_or_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode("utf-8", errors="surrogateescape"))
    try:
        table, _, _ = score_tables.read_table(tmp_path / "a.csv")
    except DataError as error:
        assert "\n" not in str(error) and "a.csv" in str(error)
    else:
        assert table.dtypes.map(lambda kind: kind.kind == "f").all()
