"""The published conventions of Brain-Score."""

from __future__ import annotations

from brainmark.brainscore import metrics as brainscore
from brainmark.brainscore.metrics.language import linear_pearsonr, pearsonr, ridge_pearsonr
from brainmark.core import Comparison, InvalidMeasurement, Metric, metric
from brainmark.core.libraries import xr
from brainmark.metrics._arrays.inputs import check_filled, check_same_stimuli


@metric(
    "brainscore-pls",
    summary="Neural predictivity by PLS exactly as Brain-Score publishes it, for comparison with its scores.",
    cite="schrimpf2018 yamins2014",
    compares="recordings",
    tags=("regression", "brainscore"),
)
def brainscore_pls(components: int = 25, stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``pls`` (`reverse`: ``reverse_pls``), see `brainmark.brainscore.metrics`."""
    return brainscore.pls(components, stratify, reverse)


@metric(
    "brainscore-ridge",
    summary="Neural predictivity by ridge regression with a fixed penalty exactly as Brain-Score publishes it.",
    cite="schrimpf2018 hoerl1970",
    compares="recordings",
    tags=("regression", "brainscore"),
)
def brainscore_ridge(alpha: float = 1.0, stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``ridge``, see `brainmark.brainscore.metrics`."""
    return brainscore.ridge(alpha, stratify, reverse)


@metric(
    "brainscore-linear",
    summary="Neural predictivity by ordinary least squares exactly as Brain-Score publishes it.",
    cite="schrimpf2018",
    compares="recordings",
    tags=("regression", "brainscore"),
)
def brainscore_linear(stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``linear_predictivity``, see `brainmark.brainscore.metrics`."""
    return brainscore.linear_predictivity(stratify, reverse)


@metric(
    "brainscore-neuron-to-neuron",
    summary="Correlation of each neuroid with its best unit, as Brain-Score publishes it.",
    cite="schrimpf2018",
    compares="recordings",
    tags=("regression", "brainscore"),
)
def brainscore_neuron_to_neuron(stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``neuron_to_neuron``, see `brainmark.brainscore.metrics`."""
    return brainscore.neuron_to_neuron(stratify, reverse)


@metric(
    "brainscore-rdm",
    summary="Spearman correlation of the dissimilarities of two populations exactly as Brain-Score publishes it.",
    cite="schrimpf2018 kriegeskorte2008",
    compares="recordings",
    tags=("similarity", "brainscore"),
)
def brainscore_rdm() -> Metric:
    """Return the published ``rdm``, see `brainmark.brainscore.metrics`."""
    return brainscore.rdm()


@metric(
    "brainscore-rdm-cv",
    summary="The published comparison of dissimilarities on ten random subsets of 90 % of the presentations.",
    cite="schrimpf2018 kriegeskorte2008",
    compares="recordings",
    tags=("similarity", "brainscore"),
)
def brainscore_rdm_cv(stratify: str | None = "object_name") -> Metric:
    """Return the published ``rdm_cv``, see `brainmark.brainscore.metrics`."""
    return brainscore.rdm_cv(stratify)


@metric(
    "brainscore-cka",
    summary="Linear centred kernel alignment of two populations exactly as Brain-Score publishes it.",
    cite="schrimpf2018 kornblith2019",
    compares="recordings",
    tags=("similarity", "brainscore"),
)
def brainscore_cka(unbiased: bool = True) -> Metric:
    """Return the published ``cka`` (not `unbiased`: ``cka_biased``), see `brainmark.brainscore.metrics`."""
    return brainscore.cka(unbiased)


@metric(
    "brainscore-cka-cv",
    summary="The published kernel alignment on ten random subsets of 90 % of the presentations.",
    cite="schrimpf2018 kornblith2019",
    compares="recordings",
    tags=("similarity", "brainscore"),
)
def brainscore_cka_cv(unbiased: bool = True, stratify: str | None = "object_name") -> Metric:
    """Return the published ``cka_cv``, see `brainmark.brainscore.metrics`."""
    return brainscore.cka_cv(unbiased, stratify)


@metric(
    "brainscore-linear-pearsonr",
    summary="Predictivity by least squares exactly as brainscore-language publishes it.",
    cite="schrimpf2021",
    domain="language",
    compares="recordings",
    tags=("regression", "brainscore"),
)
def brainscore_linear_pearsonr(group: str | None = None) -> Metric:
    """Return the published ``linear_pearsonr``, see `brainmark.brainscore.metrics.language`."""
    return _refuse_constants(linear_pearsonr(group))


@metric(
    "brainscore-ridge-pearsonr",
    summary="Predictivity by ridge with one penalty for all voxels, as brainscore-language publishes it.",
    cite="schrimpf2021",
    domain="language",
    compares="recordings",
    tags=("regression", "brainscore"),
)
def brainscore_ridge_pearsonr(group: str | None = None) -> Metric:
    """Return the published ``ridge_pearsonr``, see `brainmark.brainscore.metrics.language`."""
    return _refuse_constants(ridge_pearsonr(group))


def _refuse_constants(published: Metric) -> Metric:
    """Refuse what is the same for all presentations: the published code gives it 0, up to rounding."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_filled(prediction, "prediction")
        if bool((prediction == prediction.isel(presentation=0, drop=True)).all()):
            raise InvalidMeasurement("the prediction is the same for all presentations")
        return published(prediction, target)

    return compare


@metric(
    "brainscore-pearsonr",
    summary="Magnitude of the correlation of two vectors, as brainscore-language publishes it.",
    cite="schrimpf2021",
    domain="language",
    compares="judgements",
    chance=None,
    tags=("behavior", "brainscore"),
)
def brainscore_pearsonr() -> Metric:
    """Return the published ``pearsonr``, see `brainmark.brainscore.metrics.language`."""

    def compare(prediction: xr.DataArray, target: xr.DataArray) -> Comparison:
        check_filled(prediction, "prediction")
        check_same_stimuli(prediction, target)
        return pearsonr(prediction, target)

    return compare
