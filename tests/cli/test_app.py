from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from brainmark.cli import app as cli
from brainmark.core import registry

runner = CliRunner()


def brainmark(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    import os

    code = "from brainmark.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))


def test_a_misspelled_name_gets_a_suggestion_and_exit_code_2():
    for words in (["show", "pixel"], ["score", "pixel", "-b", "Simulated.IT-ridge"]):
        done = brainmark(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("error: unknown ")
        assert "did you mean 'pixels'" in done.stderr
        assert "Traceback" not in done.stderr


def test_score_prints_json_and_remembers(tmp_path):
    words = ["score", "pixels", "simulated-truth", "-b", "Simulated.IT-ridge", "--json"]
    first = runner.invoke(cli.app, words)
    assert first.exit_code == 0, first.output
    rows = {row["subject"]: row for row in json.loads(first.stdout)}
    assert rows["simulated-truth"]["value"] > 0.97
    assert rows["pixels"]["value"] < 0.5
    assert rows["pixels"]["interval"][0] < rows["pixels"]["value"] < rows["pixels"]["interval"][1]
    assert json.loads(runner.invoke(cli.app, words).stdout) == json.loads(first.stdout)


@pytest.mark.parametrize(("quiet", "lines"), [(-1.0, ["0 of 2 scores", "1 of 2 scores"]), (1e9, [])])
def test_without_a_terminal_lines_tell_how_far_it_is(monkeypatch, quiet, lines):
    monkeypatch.setattr("brainmark.cli.score.QUIET", quiet)
    done = runner.invoke(cli.app, ["score", "pixels", "simulated-truth", "-b", "Simulated.IT-ridge"])
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == lines
    assert "scores:" not in done.stdout


def test_finished_scores_alone_are_shown_and_the_others_are_told():
    words = ["score", "pixels", "-b", "Simulated.IT-ridge"]
    before = runner.invoke(cli.app, [*words, "--finished"])
    assert before.exit_code == 3
    assert "not run" in before.stdout
    assert "1 of 1 scores are not remembered" in before.stderr
    runner.invoke(cli.app, words)
    after = runner.invoke(cli.app, [*words, "--finished"])
    assert "pixels" in after.stdout
    assert "not remembered" not in after.stderr


def test_score_table_shows_score_interval_ceiling_control_and_time():
    result = runner.invoke(cli.app, ["score", "pixels", "-b", "Simulated.IT-ridge"], terminal_width=200)
    assert result.exit_code == 0
    for column in ("score", "95 % interval", "ceiling", "highest control", "time"):
        assert column in result.stdout
    assert "shuffled 0.0" in result.stdout
    assert "data simulated" in result.stdout


def test_a_model_that_does_not_apply_is_neither_a_failure_nor_a_success():
    result = runner.invoke(cli.app, ["score", "simulated-truth", "-b", "DeValois1982.V1-orientation", "--json"])
    assert result.exit_code == 3
    (row,) = json.loads(result.stdout)
    assert row["failure"] == "not_applicable"
    assert "IT" in row["reason"]


def test_data_that_cannot_be_had_fail_with_the_way_out():
    done = brainmark(
        "score", "pixels", "-b", "Cowley2023.V4-ridge", "--json",
        BRAINMARK_MIRROR="", HTTPS_PROXY="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9",
    )  # fmt: skip
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)
    assert row["failure"] == "no_data"
    assert "BRAINMARK_MIRROR" in row["reason"]


def test_every_command_has_help_and_the_frequent_ones_examples():
    for command in ("list", "show", "score", "fetch", "check", "doctor", "demo"):
        text = runner.invoke(cli.app, [command, "--help"]).stdout
        assert "Usage" in text
        if command in ("list", "show", "score", "fetch", "check"):
            assert "Example" in text


def test_version():
    import brainmark as package

    assert runner.invoke(cli.app, ["--version"]).stdout.strip() == package.__version__


def test_filters_that_nothing_has_are_refused_and_case_does_not_count():
    rows = json.loads(runner.invoke(cli.app, ["list", "benchmarks", "--region", "v4", "--json"]).stdout)
    assert {row["region"] for row in rows} == {"V4"}
    for words, message in (
        (["list", "benchmarks", "--region", "V9"], "unknown region 'V9' (regions of benchmarks: ERP, IT, "),
        (["list", "models", "--domain", "vison"], "did you mean 'vision'"),
        (["list", "modls"], "did you mean 'models'"),
    ):
        done = brainmark(*words)
        assert done.returncode == 2
        assert message in done.stderr


def test_a_place_for_the_report_is_checked_before_anything_is_computed(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere" / "report.html"):
        done = brainmark("score", "pixels", "-b", "Simulated.IT-ridge", "--html", str(place))
        assert done.returncode == 1
        assert f"cannot write the report {place}" in " ".join(done.stderr.split())
        assert done.stdout == ""
    assert not (tmp_path / "nowhere").exists()


def test_fetch_takes_patterns_and_keeps_json_clean():
    done = brainmark("fetch", "DeValois1982.*", "--json")
    assert done.returncode == 0
    assert {row["dataset"] for row in json.loads(done.stdout)} == {
        "DeValois1982.preferred_orientation",
        "DeValois1982.preferred_spatial_frequency",
    }
    assert "licence" in done.stderr


def test_names_are_whole_in_a_narrow_terminal():
    text = brainmark("list", "benchmarks", COLUMNS="80").stdout
    assert all(name in text for name in registry.benchmarks)
    tight = brainmark("score", "pixels", "-b", "Simulated.IT-ridge", COLUMNS="60").stdout
    assert "shuffled 0.0" in tight
    assert "ceiling 0.8" in tight


def test_a_reader_that_leaves_early_ends_the_command_quietly():
    import os

    done = subprocess.run(
        [sys.executable, "-c", "from brainmark.cli import main; main()", "list", "benchmarks", "--json"],
        stdout=os.open(os.devnull, os.O_WRONLY) if os.name == "nt" else _closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


def _closed_pipe() -> int:
    import os

    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_ctrl_c_leaves_nothing_half_written_and_says_how_to_go_on(tmp_path):
    import os
    import signal
    import time

    home = tmp_path / "cache"
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"  # a background job ignores it
        "from brainmark.cli import main; main()"
    )
    words = ["score", "pixels", "simulated-truth", "-b", "Simulated.IT-ridge", "--json"]
    started = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "BRAINMARK_HOME": str(home)},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(home.rglob("*.json")) and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)  # until the first score is stored
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=120)
    if started.returncode == 0:  # it was faster than the signal
        return
    assert started.returncode == 130
    assert "the same command continues" in " ".join(said.split())
    assert not list(home.rglob("*.part"))
    assert len(list(home.rglob("*.json"))) >= 1


@pytest.mark.parametrize("words", [["--help"], ["list", "models"]])
def test_help_and_lists_load_no_array_library_and_no_figures(words):
    code = (
        "import sys\nfrom brainmark.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'torch', 'xarray', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "print(*sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def load_own_modules(*words: str) -> set[str]:
    """Names of the modules of brainmark that a command loads, in a process of its own."""
    code = (
        "import sys\nfrom brainmark.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*(m for m in sys.modules if m.startswith('brainmark')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_loads_no_command():
    loaded = load_own_modules("--help")
    assert len(loaded) < 40, sorted(loaded)
    assert not {f"brainmark.cli.{name}" for name in cli.COMMANDS} & loaded


def test_lists_load_nothing_that_checks_trains_draws_or_converts():
    loaded = load_own_modules("list", "models")
    rooms = ("testing", "analysis", "training", "run", "store")
    assert [m for m in loaded if m.startswith(tuple(f"brainmark.{room}" for room in rooms))] == []
    assert not {f"brainmark.data.packaging.{m}" for m in ("arrays", "bids", "build", "nwb", "trials")} & loaded


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_help_of_all_commands_says_what_that_of_each_begins_with(name):
    first = (cli.load_command(name).help or "").split("\n\n")[0]
    assert " ".join(first.split()) == cli.COMMANDS[name]


def test_python_m_runs_the_command_line():
    done = subprocess.run([sys.executable, "-m", "brainmark", "--help"], capture_output=True, text=True, check=True)
    assert all(f" {name} " in done.stdout for name in cli.COMMANDS)
