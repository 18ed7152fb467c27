"""Choosing and running checks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from brainmark.core import BrainmarkError, UnknownName, registry
from brainmark.testing import (
    Case,
    CheckFailed,
    CheckResult,
    CheckSkipped,
    ConformanceError,
    Noise,
    Projection,
    cases,
    check_benchmark,
    check_dataset,
    check_metric,
    check_model,
    check_package,
    checks_of,
    run_checks,
)


@pytest.fixture
def toys(registries, make_card):
    """A good and a bad model of one package, and a good one of another."""

    def add(name, module, factory):
        factory.__module__ = module
        registries["model"].add(name, card=make_card("model"))(factory)

    add("good", "first_package.models", lambda: Projection(identifier="good"))
    add("bad", "first_package.models", lambda: Noise(identifier="other"))
    add("alone", "second_package", lambda: Projection(identifier="alone"))


def test_a_selection_is_everything_a_package_a_module_or_a_name(toys):
    def names(selection):
        return {case.entry.name for case in cases(selection)}

    assert names(None) == {"good", "bad", "alone"}
    assert names("first_package") == names("first-package") == names("first_package.models") == {"good", "bad"}
    assert names("second_package") == {"alone"}
    assert names("good") == {"good"}
    assert len(cases("good")) == len(checks_of("model"))


def test_a_package_is_not_chosen_by_the_beginning_of_its_name(toys):
    with pytest.raises(UnknownName, match=r"unknown name or package 'first'; did you mean 'first_package'\?"):
        cases("first")


def test_unknown_selections_offer_the_nearest_and_run_nothing(toys):
    with pytest.raises(UnknownName, match=r"unknown name or package 'goood'; did you mean 'good'\?"):
        run_checks("goood")
    with pytest.raises(UnknownName, match="entry points of the group 'brainmark'"):
        run_checks("zzz")


def test_a_package_that_could_not_be_loaded_says_why(toys):
    registry.broken_plugins["toy = broken_package.plugin"] = "ImportError: no module named 'x'"
    with pytest.raises(BrainmarkError, match=r"toy = broken_package.plugin could not be loaded: ImportError: no"):
        cases("broken-package")


def test_ids_are_readable_and_unique(toys):
    ids = [str(case) for case in cases()]
    assert "model-good-same_answer_twice" in ids
    assert len(set(ids)) == len(ids)


def test_rules_are_sentences_for_the_user():
    for kind in ("model", "dataset", "metric", "benchmark"):
        for check in checks_of(kind):
            rule = Case(None, check).rule  # type: ignore[arg-type]
            assert rule[0].isupper(), check
            assert rule.endswith("."), check
            assert len(rule) < 130, check


def test_results_come_one_by_one(toys):
    results = run_checks("first_package")
    first = next(results)
    assert isinstance(first, CheckResult)
    assert (first.kind, first.name, first.outcome, first.message) == ("model", "bad", "passed", "")
    assert first.seconds >= 0
    assert {r.outcome for r in results} == {"passed", "failed"}


def test_failures_are_assertions_and_skips_are_known_to_test_runners(toys):
    by_id = {str(case): case for case in cases()}
    with pytest.raises(AssertionError, match="identifier is 'other'; the model is registered as 'bad'"):
        by_id["model-bad-identifier_is_the_name"].run()
    by_id["model-good-identifier_is_the_name"].run()


def test_a_check_that_breaks_is_a_failure_not_a_crash(toys):
    def broken_check(model):
        """Never holds."""
        raise ZeroDivisionError("division by zero")

    case = Case(cases("good")[0].entry, broken_check)
    with pytest.raises(CheckFailed, match="raises ZeroDivisionError: division by zero"):
        case.run()
    assert case.result().outcome == "failed"


def test_an_interrupt_is_not_caught(toys):
    def interrupted(model):
        """Stops."""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Case(cases("good")[0].entry, interrupted).result()


def test_conformance_errors_list_what_failed_and_keep_all_results(toys):
    assert {r.outcome for r in check_model("good")} == {"passed"}
    with pytest.raises(ConformanceError, match="model 'bad': The identifier of the model") as error:
        check_package("first_package")
    assert len(error.value.results) == 2 * len(checks_of("model"))
    assert isinstance(error.value, AssertionError)


@pytest.mark.parametrize(
    ("check", "kind"),
    [(check_model, "model"), (check_dataset, "dataset"), (check_metric, "metric"), (check_benchmark, "benchmark")],
)
def test_each_kind_is_looked_up_in_its_own_registry(check, kind, toys):
    with pytest.raises(UnknownName, match=f"unknown {kind} 'godo'"):
        check("godo")


def test_things_that_are_under_test_are_made_once_for_all_checks(registries, make_card):
    made = []

    def counted():
        made.append(1)
        return Projection(identifier="counted")

    registries["model"].add("counted", card=make_card("model"))(counted)
    for case in cases("counted"):
        case.run()
    assert len(made) == 2  # one more for `new_instance_agrees`


TEST_FILE = """
import pytest
from brainmark.core import MissingDependency, ModelCard, models, registry
from brainmark.testing import Noise, Projection, cases

registry._discovered, registry.ROOMS = True, {}
card = ModelCard(summary="toy", licence="MIT", cite="@misc{a, title={T}, year={2001}}", domain="vision", family="toy",
                 regions=("V1",), degrees=8.0)

@models.add("good", card=card)
def good():
    return Projection(identifier="good")

@models.add("bad", card=card)
def bad():
    return Noise(identifier="other")

@models.add("absent", card=card)
def absent():
    raise MissingDependency("torch", "vision", "absent")

@pytest.mark.parametrize("case", cases(), ids=str)
def test_conformance(case):
    case.run()
"""


def test_pytest_shows_passed_failed_and_skipped_cases_by_their_ids(tmp_path):
    (tmp_path / "test_toys.py").write_text(TEST_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-rfs", "-p", "no:cacheprovider", "--rootdir", ".", "test_toys.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    count = len(checks_of("model"))
    failures = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    assert any("test_conformance[model-bad-identifier_is_the_name]" in line for line in failures), run.stdout
    assert all("model-bad-" in line for line in failures)
    assert (
        f"{len(failures)} failed, {3 * count - len(failures) - (count - 1)} passed, {count - 1} skipped" in run.stdout
    )
    assert "pip install 'brainmark[vision]'" in run.stdout


def test_skips_of_checks_are_skips_of_unittest():
    import unittest

    assert issubclass(CheckSkipped, unittest.SkipTest)
    assert not issubclass(CheckSkipped, AssertionError)


def test_importing_the_suite_loads_no_array_library_and_no_test_runner():
    code = (
        "import sys, brainmark.testing as t; t.__all__; "
        "print([m for m in ('numpy', 'xarray', 'pandas', 'torch', 'pytest') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
