"""The published conventions of Brain-Score."""

from __future__ import annotations

from brainmark.brainscore import metrics as brainscore
from brainmark.core import Metric, MetricCard, metrics
from brainmark.metrics.catalogue.predictivity import HOERL_1970, YAMINS_2014
from brainmark.metrics.catalogue.similarity import KORNBLITH_2019, KRIEGESKORTE_2008

SCHRIMPF_2018 = """@article{schrimpf2018brain,
  author = {Schrimpf, Martin and Kubilius, Jonas and Hong, Ha and Majaj, Najib J. and Rajalingham, Rishi and
            Issa, Elias B. and Kar, Kohitij and Bashivan, Pouya and Prescott-Roy, Jonathan and Geiger, Franziska and
            Schmidt, Kailyn and Yamins, Daniel L. K. and DiCarlo, James J.},
  title = {Brain-Score: Which Artificial Neural Network for Object Recognition is most Brain-Like?},
  journal = {bioRxiv}, year = {2018}, doi = {10.1101/407007}}"""


@metrics.add(
    "brainscore-pls",
    card=MetricCard(
        summary="Neural predictivity by PLS exactly as Brain-Score publishes it, for comparison with its scores.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{YAMINS_2014}",
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_pls(components: int = 25, stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``pls`` (`reverse`: ``reverse_pls``), see `brainmark.brainscore.metrics`."""
    return brainscore.pls(components, stratify, reverse)


@metrics.add(
    "brainscore-ridge",
    card=MetricCard(
        summary="Neural predictivity by ridge regression with a fixed penalty exactly as Brain-Score publishes it.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{HOERL_1970}",
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_ridge(alpha: float = 1.0, stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``ridge``, see `brainmark.brainscore.metrics`."""
    return brainscore.ridge(alpha, stratify, reverse)


@metrics.add(
    "brainscore-linear",
    card=MetricCard(
        summary="Neural predictivity by ordinary least squares exactly as Brain-Score publishes it.",
        licence="MIT",
        cite=SCHRIMPF_2018,
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_linear(stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``linear_predictivity``, see `brainmark.brainscore.metrics`."""
    return brainscore.linear_predictivity(stratify, reverse)


@metrics.add(
    "brainscore-neuron-to-neuron",
    card=MetricCard(
        summary="Correlation of each neuroid with its best unit, as Brain-Score publishes it.",
        licence="MIT",
        cite=SCHRIMPF_2018,
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_neuron_to_neuron(stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``neuron_to_neuron``, see `brainmark.brainscore.metrics`."""
    return brainscore.neuron_to_neuron(stratify, reverse)


@metrics.add(
    "brainscore-rdm",
    card=MetricCard(
        summary="Spearman correlation of the dissimilarities of two populations exactly as Brain-Score publishes it.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{KRIEGESKORTE_2008}",
        compares="recordings",
        tags=("similarity", "brainscore"),
    ),
)
def brainscore_rdm() -> Metric:
    """Return the published ``rdm``, see `brainmark.brainscore.metrics`."""
    return brainscore.rdm()


@metrics.add(
    "brainscore-rdm-cv",
    card=MetricCard(
        summary="The published comparison of dissimilarities on ten random subsets of 90 % of the presentations.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{KRIEGESKORTE_2008}",
        compares="recordings",
        tags=("similarity", "brainscore"),
    ),
)
def brainscore_rdm_cv(stratify: str | None = "object_name") -> Metric:
    """Return the published ``rdm_cv``, see `brainmark.brainscore.metrics`."""
    return brainscore.rdm_cv(stratify)


@metrics.add(
    "brainscore-cka",
    card=MetricCard(
        summary="Linear centred kernel alignment of two populations exactly as Brain-Score publishes it.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{KORNBLITH_2019}",
        compares="recordings",
        tags=("similarity", "brainscore"),
    ),
)
def brainscore_cka(unbiased: bool = True) -> Metric:
    """Return the published ``cka`` (not `unbiased`: ``cka_biased``), see `brainmark.brainscore.metrics`."""
    return brainscore.cka(unbiased)


@metrics.add(
    "brainscore-cka-cv",
    card=MetricCard(
        summary="The published kernel alignment on ten random subsets of 90 % of the presentations.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{KORNBLITH_2019}",
        compares="recordings",
        tags=("similarity", "brainscore"),
    ),
)
def brainscore_cka_cv(unbiased: bool = True, stratify: str | None = "object_name") -> Metric:
    """Return the published ``cka_cv``, see `brainmark.brainscore.metrics`."""
    return brainscore.cka_cv(unbiased, stratify)
