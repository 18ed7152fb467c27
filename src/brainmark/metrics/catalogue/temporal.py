"""How alike responses change with time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core import MetricCard, metrics
from brainmark.metrics.catalogue.predictivity import GOLUB_1979, HOERL_1970

if TYPE_CHECKING:
    from brainmark.core import Metric


KAR_2019 = """@article{kar2019evidence,
  author = {Kar, Kohitij and Kubilius, Jonas and Schmidt, Kailyn and Issa, Elias B. and DiCarlo, James J.},
  title = {Evidence that Recurrent Circuits are Critical to the Ventral Stream's Execution of Core Object Recognition
           Behavior},
  journal = {Nature Neuroscience}, volume = {22}, pages = {974--983}, year = {2019},
  doi = {10.1038/s41593-019-0392-5}}"""


@metrics.add(
    "ridge_over_time",
    card=MetricCard(
        summary="Cross-validated r of each neuroid by ridge regression, fitted and tested in every time bin.",
        licence="MIT",
        cite=f"{HOERL_1970}\n{GOLUB_1979}",
        compares="recordings",
        tags=("regression", "temporal"),
    ),
)
def ridge_over_time(resamples: int = 1000, seed: int = 0) -> Metric:
    """Predictivity in each bin, see `brainmark.metrics.temporal.each_time_bin`."""
    from brainmark.metrics import predictivity, temporal

    return temporal.each_time_bin(predictivity.ridge(resamples=resamples, seed=seed))


@metrics.add(
    "solution_times",
    card=MetricCard(
        summary="Correlates the times at which a population and a brain solve each image.",
        licence="MIT",
        cite=KAR_2019,
        compares="recordings",
        tags=("temporal", "behavior"),
    ),
)
def solution_times(truth: str = "label", threshold: str = "threshold", resamples: int = 1000, seed: int = 0) -> Metric:
    """Correlation of object solution times, see `brainmark.metrics.temporal.solution_times`."""
    from brainmark.metrics import temporal

    return temporal.solution_times(truth, threshold, resamples=resamples, seed=seed)
