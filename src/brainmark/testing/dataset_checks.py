"""Checks of a registered data set. Checks that need missing files are skipped; nothing is downloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from brainmark.core.cards import DatasetCard
from brainmark.core.errors import BrainmarkError, DataError, InvalidMeasurement
from brainmark.core.experiment import Setting
from brainmark.core.libraries import np, xr
from brainmark.core.measurement import check_measurement
from brainmark.core.stimuli import Stimuli
from brainmark.data.fetch import where
from brainmark.testing.card_checks import card_is_complete
from brainmark.testing.outcome import CheckFailed, CheckSkipped, DataUnderTest, describe, fail_if

_AT_HAND = ("shipped", "local", "cached", "mirrored")


class DatasetUnderTest(DataUnderTest[Any, DatasetCard]):
    """A dataset, made once."""

    @cached_property
    def missing(self) -> str | DataError:
        """Which files are not on this machine (empty if all are there), or what is wrong with their addresses."""
        try:
            return missing_files(self.card)
        except DataError as error:
            return error

    @property
    def study(self) -> Any:
        """The dataset with a valid measurement; checks that need it are skipped if there is none."""
        if not isinstance(getattr(self.product, "measurement", None), xr.DataArray):
            raise CheckSkipped("the dataset does not load")
        return self.product


def missing_files(card: DatasetCard) -> str:
    """Return in words which files of a card are not on this machine; empty if all are there.

    Raises
    ------
    DataError : a source has an address that cannot be read.
    """
    lost = [found for found in map(where, card.sources) if found.state not in _AT_HAND]
    if not lost:
        return ""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    reason = f" ({lost[0].note})" if lost[0].state == "damaged" else ""
    return f"{lost[0].source.url}{more} {lost[0].state}{reason}; set BRAINMARK_MIRROR, or use 'brainmark fetch'"


def files_are_at_hand(dataset: DatasetUnderTest) -> None:
    """The files on the card are in the cache or a mirror (skipped if not: the other checks need them)."""
    if isinstance(dataset.missing, DataError):
        raise CheckFailed(str(dataset.missing))
    if dataset.missing:
        raise CheckSkipped(dataset.missing)


def loads(dataset: DatasetUnderTest) -> None:
    """The dataset loads and has `measurement`, `stimuli` and `setting`."""
    product = dataset.product
    if isinstance(product, Exception):
        raise CheckFailed(f"loading raises {describe(product)}")
    for name, kind in (("measurement", xr.DataArray), ("stimuli", Stimuli | None), ("setting", Setting)):
        fail_if(not hasattr(product, name), f"what the factory makes ({type(product).__name__}) has no {name!r}")
        given = getattr(product, name)
        fail_if(not isinstance(given, kind), f"{name!r} is a {type(given).__name__}")


def identifier_is_the_name(dataset: DatasetUnderTest) -> None:
    """The identifier of the dataset is the name under which it is registered."""
    given = getattr(dataset.study, "identifier", None)
    fail_if(given != dataset.entry.name, f"identifier is {given!r}; it is registered as {dataset.entry.name!r}")


def measurement_is_valid(dataset: DatasetUnderTest) -> None:
    """The measurement has the dimensions, coordinates and values of one of the kinds of measurement."""
    try:
        check_measurement(dataset.study.measurement, dataset.entry.name)
    except InvalidMeasurement as error:
        raise CheckFailed(str(error)) from error


def stimuli_line_up(dataset: DatasetUnderTest) -> None:
    """The stimuli of the measurement are those of the stimulus set, in its order, and of the card's modality."""
    stimuli, measurement = getattr(dataset.study, "stimuli", None), dataset.study.measurement
    if not isinstance(stimuli, Stimuli):
        raise CheckSkipped("the dataset has no stimuli of its own")
    stated = dataset.card.modality
    fail_if(stimuli.modality != stated, f"stimuli are of modality {stimuli.modality!r}, not {stated!r}")
    if "stimulus_id" not in measurement.coords:
        return
    shown, measured = stimuli.ids.tolist(), measurement.coords["stimulus_id"].values.astype(str).tolist()
    differ = next((i for i, (a, b) in enumerate(zip(shown, measured, strict=False)) if a != b), None)
    fail_if(len(shown) != len(measured), f"{len(shown)} stimuli, {len(measured)} presentations")
    fail_if(differ is not None, f"they first differ at presentation {differ}")


def regions_are_on_the_card(dataset: DatasetUnderTest) -> None:
    """Regions of the neuroids stand on the card."""
    measurement = dataset.study.measurement
    if "region" not in measurement.coords:
        raise CheckSkipped("the measurement has no regions")
    unknown = set(np.unique(measurement.coords["region"].values.astype(str)).tolist()) - set(dataset.card.regions)
    fail_if(bool(unknown), f"the measurement has region {min(unknown, default='')!r}, which the card does not name")


def same_content_twice(dataset: DatasetUnderTest) -> None:
    """Loaded a second time, measurement and stimuli have the same content."""
    study = dataset.study
    try:
        again = dataset.entry.load()
    except BrainmarkError as error:
        raise CheckFailed(f"the second load raises {describe(error)}") from error
    same = content_digest(study.measurement) == content_digest(again.measurement)
    fail_if(not same, "the measurement differs between two loads; seed what is random, sort what has no order")
    stimuli = getattr(study, "stimuli", None)
    if isinstance(stimuli, Stimuli):
        fail_if(stimuli.digest != again.stimuli.digest, "the stimuli differ between two loads")


def content_digest(measurement: xr.DataArray) -> str:
    """sha256 over values, dimensions and coordinates of a measurement."""
    whole = hashlib.sha256(repr((measurement.dims, measurement.shape)).encode())
    arrays = {"": measurement.values} | {str(k): v.values for k, v in measurement.coords.items()}
    for name in sorted(arrays):
        values = arrays[name]
        content = repr(values.tolist()).encode() if values.dtype.kind in "OUS" else values.tobytes()
        whole.update(f"{name}:{values.shape}".encode() + content)
    return whole.hexdigest()


CHECKS: tuple[Callable[[Any], None], ...] = (
    card_is_complete,
    files_are_at_hand,
    loads,
    identifier_is_the_name,
    measurement_is_valid,
    stimuli_line_up,
    regions_are_on_the_card,
    same_content_twice,
)
