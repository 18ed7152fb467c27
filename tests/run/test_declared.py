"""What a score depends on is declared: versions, parameters and files; foreign code counts by what it does."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from brainmark.core import Record, Setting, registry, shuffled
from brainmark.core.cards import ModelCard
from brainmark.metrics.statistics.splits import Contiguous
from brainmark.run import declared
from brainmark.run.declared import declare, declare_benchmark, declare_model, digest_entry, write_plainly
from brainmark.run.scoring import GivenBenchmark, GivenModel, depend_on
from brainmark.store.results import list_differences

CARD = ModelCard(summary="toy", licence="MIT", cite="@misc{a, title={b}}", domain="vision", family="toy", regions=())
CODE = '''"""A model."""
WIDTH = 3  # of nothing


def toy():
    """Return it."""
    return {"width": WIDTH}
'''


def test_a_score_depends_on_what_is_declared_of_model_data_metric_and_benchmark() -> None:
    found = depend_on(GivenModel("gabor"), GivenBenchmark("Cowley2023.V4-ridge"))
    assert found is not None
    assert found["metric ridge: version"] == str(registry.metrics["ridge"].card.version)
    assert {"model gabor: version", "benchmark Cowley2023.V4-ridge: version", "scoring: version"} <= found.keys()
    assert found["metric ridge: selection"] == "loo", "a default is a parameter"
    assert '"duration": 100.0' in found["dataset Cowley2023.210325: setting"]
    assert found["model pixels: version"] == "1", "a control of the benchmark"
    assert len(found["dataset Cowley2023.210325: files"]) == 64
    told = " ".join(found)
    assert all(text not in told for text in ("summary", "cite", "licence", "tags", "numpy", "code"))


def test_parameters_of_a_benchmark_take_the_place_of_defaults() -> None:
    entry = registry.benchmarks["Cowley2023.V4-ridge"]
    changed = replace(entry, parameters={**entry.parameters, "options": {"selection": "gcv", "splits": Contiguous(5)}})
    before, after = declare_benchmark(entry), declare_benchmark(changed)
    assert before and after
    differences = list_differences(before, after)
    assert "metric ridge: selection was loo, now gcv" in differences
    assert len(differences) == 2
    asked = replace(entry, parameters={**entry.parameters, "ask": Record("V4", ((0.0, 50.0),))})
    assert declare_benchmark(asked) != before


def test_a_device_changes_no_result() -> None:
    assert not [name for name in declare(registry.metrics["ridge"]) or () if "device" in name]


def test_models_of_the_zoo_depend_on_their_description_without_its_texts() -> None:
    zoo = importlib.import_module("brainmark.models.zoo")
    model = zoo.ZOO["alexnet"]

    def digest(**fields: object) -> str | None:
        changed = replace(model, spec=model.spec.model_copy(update=fields))
        return zoo._content(changed, zoo.__name__)()

    assert digest() == digest(summary="Better words.", tags=("x",), cite="c", licence="l", family="f")
    assert len({digest(), digest(degrees=4.0), digest(mean=(0.0, 0.0, 0.0)), digest(source="timm/resnet18")}) == 4


def test_twins_are_told_apart_and_know_their_model() -> None:
    found = {name: digest_entry(registry.models[name]) for name in ("alexnet", "alexnet:random", "alexnet:random=1")}
    assert None not in found.values()
    assert len({*found.values()}) == 3
    assert (declare_model(registry.models["alexnet:random=1"]) or {})["model alexnet:random=1: seed"] == "1"


def test_values_are_written_alike_in_every_process() -> None:
    assert write_plainly("ridge") == "ridge"
    assert write_plainly((1, 2.5, None, True)) == write_plainly([1, 2.5, None, True]) == "[1, 2.5, null, true]"
    assert write_plainly(np.float64(0.5)) == "0.5"
    assert write_plainly({"b": np.arange(2), "a": {"y", "x"}}) == '{"a": ["x", "y"], "b": [0, 1]}'
    assert write_plainly(partial(declare, 1)) == '"declare"'
    assert write_plainly((shuffled(),)) == '["shuffled"]'
    assert write_plainly(Setting(degrees=8)) != write_plainly(Setting(degrees=4))
    assert "0x" not in write_plainly(object()) + write_plainly(lambda: None) + write_plainly(Contiguous(5))


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a foreign module, and returns what is declared of the model that it makes."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "outside_here.py"

    def write(text: str, card: ModelCard = CARD) -> dict[str, str] | None:
        file.write_text(text)
        sys.modules.pop("outside_here", None)
        importlib.invalidate_caches()
        module = importlib.import_module("outside_here")
        return declare(registry.Entry("model", "toy", module.toy, card))

    yield write
    sys.modules.pop("outside_here", None)


@pytest.mark.parametrize(
    "same",
    [
        CODE.replace("A model.", "Another sentence."),
        CODE.replace('    """Return it."""\n', '    """Return it.\n\n    In other words.\n    """\n'),
        CODE.replace("# of nothing", "# of something else"),
        CODE.replace('"width"', "'width'").replace("\n\n\n", "\n\n"),
        CODE.replace('{"width": WIDTH}', '{\n        "width": WIDTH,\n    }'),
        CODE.replace("def toy", '"""About the width."""\n\n\ndef toy'),
        CODE.replace("    return", "    # now\n    return"),
    ],
)
def test_docstrings_comments_and_layout_of_foreign_code_change_nothing(outside, same: str) -> None:
    assert same != CODE
    assert outside(CODE) == outside(same)


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("WIDTH = 3", "WIDTH = 4"),
        CODE.replace('"width"', '"length"'),
        CODE.replace("def toy():", "def toy(seed=0):"),
        CODE.replace("    return {", "    print('text')\n    return {"),
        "import math\n" + CODE,
    ],
)
def test_an_edited_line_of_foreign_code_is_another_result(outside, other: str) -> None:
    assert list_differences(outside(CODE), outside(other))[0].startswith("model toy: code was ") or "seed" in other
    assert outside(CODE) != outside(other)


def test_a_release_of_a_package_counts_until_its_card_states_a_version(outside, monkeypatch) -> None:
    found = []
    monkeypatch.setattr(declared.metadata, "packages_distributions", lambda: {"outside_here": ["outside"]})
    for release, card in (("1.0", CARD), ("1.1", CARD), ("1.0", ModelCard(**{**CARD.model_dump(), "version": 1}))):
        monkeypatch.setattr(declared.metadata, "version", lambda _, release=release: release)
        declared._find_release.cache_clear()
        found.append(outside(CODE, card))
    declared._find_release.cache_clear()
    assert list_differences(found[0], found[1]) == ("model toy: release was outside 1.0, now outside 1.1",)
    assert "model toy: release" not in found[2]
    assert found[2]["model toy: code"] == found[0]["model toy: code"], "what it does counts all the same"


def test_what_has_no_file_is_not_remembered(outside) -> None:
    assert outside(CODE)
    entry = registry.Entry("model", "toy", sys.modules.pop("outside_here").toy, CARD)
    entry.factory.__module__ = "nowhere_at_all"
    assert declare(entry) is None


def test_nothing_is_loaded_to_know_what_a_score_depends_on() -> None:
    """The plan of a run and the table of kept scores asked for gigabytes of data, and for seconds of imports."""
    code = """
import sys
from brainmark.core import registry
from brainmark.run.scoring import GivenBenchmark, GivenModel, depend_on
models, benchmarks = list(map(GivenModel, registry.models)), list(map(GivenBenchmark, registry.benchmarks))
assert all(depend_on(m, b) for m in models for b in benchmarks[:5]) and all(b.declared for b in benchmarks)
heavy = [name for name in ("torch", "scipy", "xarray", "pandas") if name in sys.modules]
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
