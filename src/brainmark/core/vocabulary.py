"""The words that cards use: domains, modalities, regions in their order, kinds of comparison. Packages add their own.

A package adds a new sense with four lines in the module that registers its models and data::

    add_modality("odour", example=three_odours)
    add_domain("olfaction", modality="odour")
    add_regions("epithelium", "olfactory_bulb", "piriform")

    @add_comparison("odour maps")
    def odour_maps(count, generator): ...  # -> MetricExample

Names that are not known are refused with the nearest one that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator

from brainmark.core.errors import InvalidRegistration, suggest
from brainmark.core.libraries import np, xr
from brainmark.core.stimuli import MODALITIES, Stimuli


def add_noise(prediction: xr.DataArray, level: float, generator: np.random.Generator) -> xr.DataArray:
    """Return a prediction, each unit with normal noise of `level` times its standard deviation."""
    noise = prediction.copy(data=generator.standard_normal(prediction.shape))
    return (prediction + level * prediction.std("presentation") * noise).transpose(*prediction.dims)


@dataclass(frozen=True, eq=False)
class MetricExample:
    """A prediction that is exactly right for a target: what the conformance suite tries a metric on.

    Attributes
    ----------
    prediction : what a subject answers.
    target : what was measured, without missing values.
    paired : presentations of both belong together (False: distributions are compared).
    chosen : the answers are choices or times: a constant one may have a value too, and others one that is higher.
    disturb : (prediction, level, generator) -> a prediction that is wrong to a degree.
    """

    prediction: xr.DataArray
    target: xr.DataArray
    paired: bool = True
    chosen: bool = False
    disturb: Callable[[xr.DataArray, float, np.random.Generator], xr.DataArray] = add_noise


MakeExample: TypeAlias = "Callable[[int, np.random.Generator], MetricExample]"
"""number of presentations, source of randomness -> example pair."""

DOMAINS: dict[str, str] = {
    "vision": "image", "language": "text", "audition": "audio", "body": "kinematics", "cognition": "dots",
}  # fmt: skip
"""Domain -> the modality of its usual stimuli."""

REGIONS = [
    "retina", "LGN", "V1", "V2", "V3", "V4", "MT", "IT",
    "language_system", "LATL", "RATL", "LPTL", "LIPL", "LIFG", "LPreM", "ERP",
]  # fmt: skip
"""The order in which regions are shown: the visual hierarchy, the language network; others follow by name."""

COMPARISONS: dict[str, MakeExample | None] = dict.fromkeys(
    ("recordings", "series", "timed judgements", "dissimilarities", "choices", "shares", "judgements", "distributions",
     "surprisals", "words", "solution times", "triplets", "trajectories")
)  # fmt: skip
"""What metrics compare -> a maker of an example pair (`brainmark.testing` has those of our own)."""


def add_domain(name: str, *, modality: str) -> None:
    """Make a domain known, with the modality of its usual stimuli. Raises InvalidRegistration."""
    _check_new("domain", name, DOMAINS, DOMAINS.get(name) == modality)
    DOMAINS[name] = _find("modality", modality, MODALITIES)


def add_modality(name: str, *, example: Callable[[int], Stimuli]) -> None:
    """Make a modality known; `example` returns so many small stimuli of it. Raises InvalidRegistration."""
    _check_new("modality", name, MODALITIES, _is_same(MODALITIES.get(name), example))
    MODALITIES[name] = example


def add_regions(*names: str) -> None:
    """Give regions their order, from the senses on; those that have a place already keep it."""
    REGIONS.extend(name for name in names if name not in REGIONS)


def add_comparison(name: str) -> Callable[[MakeExample], MakeExample]:
    """Make a kind of comparison known; the decorated function returns its example pair. Raises InvalidRegistration."""

    def register(example: MakeExample) -> MakeExample:
        _check_new("kind of comparison", name, COMPARISONS, _is_same(COMPARISONS.get(name), example))
        COMPARISONS[name] = example
        return example

    return register


def _is_same(known: Any, given: Any) -> bool:
    """Return whether a function is that of a module that was loaded anew."""
    return known is not None and (known.__module__, known.__qualname__) == (given.__module__, given.__qualname__)


def _check_new(what: str, name: str, known: Collection[str], again: bool) -> None:
    if name in known and not again:
        raise InvalidRegistration(f"{what} {name!r} is already taken; choose another name")
    if not name or name != name.strip() or name != name.lower():
        raise InvalidRegistration(f"{what} {name!r}: use lower case, without white space at the ends")


def _find(what: str, name: str, known: Collection[str]) -> str:
    """Return a name that is known; a ValueError, which pydantic reports, says which names are."""
    if name in known:
        return name
    near = suggest(name, known)
    offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known are {', '.join(known)}"
    adder = "add_comparison" if what == "kind of comparison" else f"add_{what}"
    raise ValueError(f"unknown {what} {name!r}; {offer} (a package adds its own: brainmark.core.{adder})")


Domain = Annotated[str, AfterValidator(lambda name: _find("domain", name, DOMAINS))]
AnyDomain = Annotated[str, AfterValidator(lambda name: name if name == "any" else _find("domain", name, DOMAINS))]
Modality = Annotated[str, AfterValidator(lambda name: _find("modality", name, MODALITIES))]
Compared = Annotated[str, AfterValidator(lambda name: _find("kind of comparison", name, COMPARISONS))]
