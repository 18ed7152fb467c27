"""What users install: wheel and sdist are complete, described, and run from an empty environment elsewhere."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("build", "hatchling", "twine")
MISSING = [name for name in TOOLS if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed (extra dev): {', '.join(MISSING)}"),
]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the wheel, which is built from the sdist, and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=ROOT)
    assert sorted(path.suffix for path in folder.iterdir()) == [".gz", ".whl"]
    return folder


def test_the_description_can_be_shown_by_a_registry(built: Path) -> None:
    checked = run(sys.executable, "-m", "twine", "check", "--strict", *sorted(built.iterdir()), cwd=built)
    assert checked.count("PASSED") == 2


def test_all_files_of_the_package_are_in_the_wheel_and_the_sdist(built: Path) -> None:
    package = ROOT / "src" / "brainmark"
    files = {str(p.relative_to(package)) for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert {"py.typed", "core/references.bib", "models/zoo.toml", "__init__.pyi"} <= files
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        assert files <= {name.removeprefix("brainmark/") for name in wheel.namelist()}
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"src/brainmark/{name}" for name in files} | {"LICENSE", "tests/test_packaging.py"} <= held


def test_an_installed_wheel_runs_in_another_folder(built: Path, tmp_path: Path) -> None:
    """The environment sees the dependencies that are installed here, but no other brainmark."""
    environment, elsewhere, home = (tmp_path / name for name in ("environment", "elsewhere", "home"))
    venv.create(environment, with_pip=False, symlinks=True)
    bin_folder = environment / "bin"
    wheel = next(built.glob("*.whl"))
    run(sys.executable, "-m", "pip", f"--python={bin_folder / 'python'}", "install", "--no-deps", "--no-index", wheel,
        cwd=tmp_path)  # fmt: skip
    [packages] = environment.glob("lib/*/site-packages")
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    elsewhere.mkdir()
    clean = {"PYTHONPATH": "", "BRAINMARK_HOME": str(home), "COLUMNS": "200"}

    found = run(bin_folder / "python", "-c", "import brainmark; print(brainmark.__file__)", cwd=elsewhere, **clean)
    assert Path(found.strip()).is_relative_to(environment)
    listed = run(bin_folder / "brainmark", "list", "models", cwd=elsewhere, **clean)
    assert "pixels" in listed and "tiny-gpt" in listed
    scored = run(bin_folder / "brainmark", "score", "pixels", "-b", "Simulated.IT-ridge", cwd=elsewhere, **clean)
    assert "Simulated.IT-ridge" in scored
