"""Models at the prompt that nobody registered."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.core import InvalidModel

runner = CliRunner()


@pytest.fixture
def scored(monkeypatch):
    """Names that the command would have scored."""
    names = []
    monkeypatch.setattr("brainmark.cli.score.score_and_show", lambda models, *_, **__: names.extend(models) or [])
    return names


def score(*words):
    done = runner.invoke(cli.app, ["score", *words, "-b", "Simulated.IT-ridge"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code


def test_random_weights_scores_the_twins_of_all_models_named(scored):
    assert score("alexnet", "vgg-1*", "--random-weights") == 0
    assert scored == ["alexnet:random", "vgg-16:random", "vgg-19:random"]


def test_random_weights_of_what_learns_nothing_are_refused(scored):
    with pytest.raises(InvalidModel, match="'pixels' has no weights that were trained"):
        score("pixels", "--random-weights")
    assert not scored


def test_models_of_a_file_go_by_their_names(scored, tmp_path):
    file = tmp_path / "models.toml"
    file.write_text('[mine]\nnetwork = "alexnet"\n')
    assert score("mine", "pixels", "--models-file", str(file)) == 0
    assert scored == [f"{file}#mine", "pixels"]
    scored.clear()
    assert score("mine", "--models-file", str(file), "--random-weights") == 0
    assert scored == [f"{file}#mine:random"]


def test_show_says_what_a_name_from_elsewhere_stands_for():
    shown = json.loads(runner.invoke(cli.app, ["show", "alexnet:random=2", "--json"]).stdout)
    assert (shown["kind"], shown["name"]) == ("model", "alexnet:random=2")
    assert shown["card"]["summary"] == "Untrained twin of alexnet: random weights, seed 2."


def test_random_weights_leaves_twins_as_they_are(scored):
    assert score("alexnet:random=3", "vgg-16", "--random-weights") == 0
    assert scored == ["alexnet:random=3", "vgg-16:random"]


def test_verbose_announces_the_memory_of_a_run(monkeypatch, tmp_path):
    import logging

    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path))
    monkeypatch.setattr(logging.getLogger("brainmark"), "handlers", [])
    done = runner.invoke(cli.app, ["score", "cifar-resnet:random", "-b", "Simulated.IT-ridge", "-v"])
    assert done.exit_code == 0
    assert "of memory" in " ".join(done.output.split())


def test_a_name_is_printed_as_it_is_also_where_it_could_be_a_picture(capfd, monkeypatch):
    monkeypatch.setattr("sys.argv", ["brainmark", "show", "no_such_module:x:"])
    with pytest.raises(SystemExit):
        cli.run()
    assert "'no_such_module:x:'" in capfd.readouterr().err
