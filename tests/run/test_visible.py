"""What a model sees in the sandbox: its own files, packages and downloaded weights, and no secret by another name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from brainmark.run.stamp import PACKAGE_FOLDER
from brainmark.run.visible import view_for


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model in a home with secrets."""
    project = tmp_path / "user" / "project"
    for place in (
        project / "hostile.py",
        project / ".env",
        project / "inner" / "deep.py",
        tmp_path / "user" / ".ssh" / "id_rsa",
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
    for variable, place in (("HOME", "user"), ("BRAINMARK_HOME", "user/project/cache"), ("BRAINMARK_MIRROR", "")):
        monkeypatch.setenv(variable, str(tmp_path / place) if place else "")
    (project / "cache").mkdir()
    monkeypatch.chdir(project)
    return project


def test_weights_are_shown_and_secrets_by_that_name_are_not(lab: Path) -> None:
    (lab / "net.pth").write_text("")
    (lab / "key.pth").symlink_to(lab.parent / ".ssh" / "id_rsa")
    (lab.parent / "shared.pth").write_text("")
    text = "[a]\nsource = 'hostile:make'\nweights = {{ file = '{}' }}\n"
    for name, weights in (("own", "net.pth"), ("key", "key.pth"), ("other", "../shared.pth"), ("home", "..")):
        (lab / f"{name}.toml").write_text(text.format(weights))
    shown = {name: view_for(f"{name}.toml").shown for name in ("own", "key", "other", "home")}
    assert lab / "net.pth" in shown["own"]
    assert any(p.resolve() == lab.parent / "shared.pth" for p in shown["other"])
    hidden = (lab.parent, lab.parent / ".ssh", lab.parent / ".ssh" / "id_rsa")
    assert not [p for name in shown for p in shown[name] if p.resolve() in hidden]


def test_a_model_sees_its_folder_without_what_is_hidden_there(lab: Path) -> None:
    for name in ("hostile:make", "hostile:make:random=3", "./net.pt2", "models.toml#a"):
        view = view_for(name)
        assert lab in view.shown
        assert {lab / ".env", lab / "cache"} <= set(view.hidden)
        assert {PACKAGE_FOLDER, Path(sys.prefix)} <= set(view.shown)
        assert not any(lab.parent == place or lab.parent.is_relative_to(place) for place in view.shown)


def test_the_current_folder_is_shown_to_models_below_it(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(lab / "inner"))
    assert {lab, lab / "inner"} <= set(view_for("deep:make").shown)
    monkeypatch.chdir(lab.parents[1])
    assert lab.parents[1] not in view_for("deep:make").shown
    assert not [place for place in view_for("not_there:make").shown if lab.parents[1] == place]
