"""Every check of datasets is failed, alone, by a dataset that breaks its rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainmark.core import DatasetCard, Setting, Source, Stimuli
from brainmark.core.registry import Entry
from brainmark.testing import Case, check_dataset, checks_of, images

CITE = "@misc{toy, title = {Toy}, year = {2001}}"
LOST = Source(url="https://example.org/toy/rates.npy", sha256="0" * 64, size=10)


@dataclass
class Recorded:
    """What a dataset makes, without the validation that the package's own class does."""

    measurement: xr.DataArray
    stimuli: Stimuli | None
    identifier: str = "toy"
    setting: Setting = Setting()  # noqa: RUF009 - frozen


def rates(stimuli: Stimuli, seed: int | None = 0) -> xr.DataArray:
    values = np.random.default_rng(seed).gamma(2.0, size=(len(stimuli), 3))
    return xr.DataArray(
        values,
        dims=("presentation", "neuroid"),
        coords={
            "stimulus_id": ("presentation", stimuli.ids),
            "neuroid_id": ("neuroid", ["a", "b", "c"]),
            "region": ("neuroid", ["V1", "V1", "V1"]),
        },
    )


def good() -> Recorded:
    return Recorded(rates(images()), images())


def changed(**changes: Any) -> Recorded:
    made = good()
    return Recorded(**{**vars(made), **changes})


def loses_a_field() -> object:
    made = good()
    del made.setting
    return made


BROKEN = {
    "card_is_complete": (good, {"cite": "@misc{toy, title = {Toy}}"}),
    "files_are_at_hand": (good, {"sources": (LOST.model_copy(update={"url": "ftp://example.org/rates.npy"}),)}),
    "loads": (lambda: 1 / 0, {}),
    "identifier_is_the_name": (lambda: changed(identifier="other"), {}),
    "measurement_is_valid": (lambda: changed(measurement=rates(images()).drop_vars("region")), {}),
    "stimuli_line_up": (lambda: changed(stimuli=images().take([2, 1, 0])), {}),
    "regions_are_on_the_card": (good, {"regions": ("V4",)}),
    "same_content_twice": (lambda: changed(measurement=rates(images(), seed=None)), {}),
}


def results(entry: Entry) -> dict[str, Any]:
    return {check.__name__: Case(entry, check).result() for check in checks_of("dataset")}


def failed(entry: Entry) -> dict[str, str]:
    return {name: r.message for name, r in results(entry).items() if r.outcome == "failed"}


def test_every_check_has_a_dataset_that_breaks_it():
    assert list(BROKEN) == [check.__name__ for check in checks_of("dataset")]


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_dataset_fails_exactly_its_check(check, make_card):
    factory, changes = BROKEN[check]
    messages = failed(Entry("dataset", "toy", factory, make_card("dataset", **changes)))
    assert list(messages) == [check]
    assert messages[check]


def test_a_good_dataset_passes_all(make_card):
    assert {r.outcome for r in check_dataset(Entry("dataset", "toy", good, make_card("dataset")))} == {"passed"}


def test_data_that_are_not_at_hand_skip_what_needs_them_and_are_not_downloaded(make_card, monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINMARK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BRAINMARK_MIRROR", raising=False)
    loaded = []
    card = make_card("dataset", sources=(LOST,), simulated=False)
    found = results(Entry("dataset", "toy", lambda: loaded.append(1), card))
    assert found.pop("card_is_complete").outcome == "passed"
    assert {r.outcome for r in found.values()} == {"skipped"}
    assert found["files_are_at_hand"].message == (
        "https://example.org/toy/rates.npy missing; set BRAINMARK_MIRROR, or use 'brainmark fetch'"
    )
    assert not loaded


@pytest.mark.parametrize(
    ("factory", "changes", "check", "message"),
    [
        (loses_a_field, {}, "loads", ""),
        (lambda: changed(stimuli="none"), {}, "loads", "'stimuli' is a str"),
        (lambda: None, {}, "loads", "what the factory makes (NoneType) has no 'measurement'"),
        (good, {"modality": "text"}, "stimuli_line_up", "stimuli are of modality 'image', not 'text'"),
        (lambda: changed(stimuli=images(2)), {}, "stimuli_line_up", "2 stimuli, 3 presentations"),
        (
            lambda: changed(stimuli=images(seed=np.random.default_rng().integers(1 << 30))),
            {},
            "same_content_twice",
            "the stimuli differ between two loads",
        ),
    ],
)
def test_messages_say_what_is_wrong(factory, changes, check, message, make_card):
    assert message in failed(Entry("dataset", "toy", factory, make_card("dataset", **changes))).get(check, "")


def test_a_dataset_of_cell_statistics_needs_no_stimuli(make_card):
    orientation = xr.DataArray(
        [10.0, 20.0], dims="neuroid", coords={"neuroid_id": ("neuroid", ["a", "b"]), "region": ("neuroid", ["V1"] * 2)}
    )
    found = results(Entry("dataset", "toy", lambda: Recorded(orientation, None), make_card("dataset")))
    assert found["stimuli_line_up"].outcome == "skipped"
    assert {r.outcome for name, r in found.items() if name != "stimuli_line_up"} == {"passed"}


def test_the_card_type_is_the_one_of_datasets(make_card):
    assert isinstance(make_card("dataset"), DatasetCard)
