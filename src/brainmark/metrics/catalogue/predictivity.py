"""How well neuroids are predicted from the units of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from brainmark.core import Metric, MetricCard, metrics
from brainmark.metrics.regression import matching, predictivity
from brainmark.metrics.statistics.splits import Splitter

WOLD_1975 = (
    "@incollection{wold1975, author={Wold, Herman}, title={Path Models with Latent Variables: The NIPALS Approach}, "
    "booktitle={Quantitative Sociology}, publisher={Academic Press}, year={1975}, pages={307--357}}"
)
YAMINS_2014 = (
    "@article{yamins2014, author={Yamins, Daniel L. K. and Hong, Ha and Cadieu, Charles F. and Solomon, Ethan A. and "
    "Seibert, Darren and DiCarlo, James J.}, title={Performance-optimized hierarchical models predict neural responses "
    "in higher visual cortex}, journal={PNAS}, volume={111}, number={23}, pages={8619--8624}, year={2014}}"
)
HOERL_1970 = (
    "@article{hoerl1970, author={Hoerl, Arthur E. and Kennard, Robert W.}, title={Ridge Regression: Biased Estimation "
    "for Nonorthogonal Problems}, journal={Technometrics}, volume={12}, number={1}, pages={55--67}, year={1970}}"
)
GOLUB_1979 = (
    "@article{golub1979, author={Golub, Gene H. and Heath, Michael and Wahba, Grace}, title={Generalized "
    "Cross-Validation as a Method for Choosing a Good Ridge Parameter}, journal={Technometrics}, volume={21}, "
    "number={2}, pages={215--223}, year={1979}}"
)
KHOSLA_2024 = (
    "@inproceedings{khosla2024, author={Khosla, Meenakshi and Williams, Alex H.}, title={Soft Matching Distance: A "
    "metric on neural representations that captures single-neuron tuning}, booktitle={Proceedings of UniReps}, "
    "year={2024}}"
)


@metrics.add(
    "pls",
    card=MetricCard(
        summary="Cross-validated r of each neuroid, predicted by partial least squares with 25 components.",
        licence="MIT",
        cite=f"{WOLD_1975}\n{YAMINS_2014}",
        compares="recordings",
        tags=("regression",),
    ),
)
def pls(
    components: int = 25,
    splits: Splitter | None = None,
    resamples: int = 1000,
    seed: int = 0,
    device: str | None = None,
) -> Metric:
    """Return neural predictivity by PLS; `splits` None: ten shuffled folds."""
    return predictivity.pls(components, splits or predictivity.TEN_FOLDS, resamples, seed, device=device)


@metrics.add(
    "ridge",
    card=MetricCard(
        summary="Cross-validated r of each neuroid, predicted by ridge regression, penalty chosen in the fold.",
        licence="MIT",
        cite=f"{HOERL_1970}\n{GOLUB_1979}",
        compares="recordings",
        tags=("regression",),
    ),
)
def ridge(
    alphas: Sequence[float] | None = None,
    per_target: bool = True,
    selection: Literal["gcv", "loo"] = "gcv",
    splits: Splitter | None = None,
    resamples: int = 1000,
    seed: int = 0,
    device: str | None = None,
) -> Metric:
    """Return neural predictivity by ridge regression; `splits` None: ten shuffled folds."""
    folds = splits or predictivity.TEN_FOLDS
    return predictivity.ridge(alphas, per_target, selection, folds, resamples, seed, device)


@metrics.add(
    "ols",
    card=MetricCard(
        summary="Cross-validated r of each neuroid, predicted by ordinary least squares.",
        licence="MIT",
        cite=YAMINS_2014,
        compares="recordings",
        tags=("regression",),
    ),
)
def ols(splits: Splitter | None = None, resamples: int = 1000, seed: int = 0, device: str | None = None) -> Metric:
    """Return neural predictivity by least squares (least norm); `splits` None: ten shuffled folds."""
    return predictivity.ols(splits or predictivity.TEN_FOLDS, resamples, seed, device)


@metrics.add(
    "single_unit",
    card=MetricCard(
        summary="Cross-validated r of each neuroid with the one unit of the model that suits it best.",
        licence="MIT",
        cite=KHOSLA_2024,
        compares="recordings",
        tags=("matching",),
    ),
)
def single_unit(
    partners: Literal["best", "one-to-one"] = "best",
    splits: Splitter | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Return the match of single units, see `brainmark.metrics.regression.matching.single_unit`."""
    return matching.single_unit(partners, splits or matching.TEN_FOLDS, resamples, seed)


@metrics.add(
    "soft_matching",
    card=MetricCard(
        summary="Cross-validated r under the best soft matching of units and neuroids (optimal transport).",
        licence="MIT",
        cite=KHOSLA_2024,
        compares="recordings",
        tags=("matching",),
    ),
)
def soft_matching(splits: Splitter | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Return the match of populations, see `brainmark.metrics.regression.matching.SoftMatching`."""
    return matching.SoftMatching(splits or matching.TEN_FOLDS, resamples, seed)
