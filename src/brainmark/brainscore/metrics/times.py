"""Published metrics of recordings with time bins: one mapping for all bins, a score for each bin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from brainmark.brainscore.metrics.assemblies import by_split, labels, paired
from brainmark.brainscore.metrics.mappings import Mapping, Predicted, pls_mapping, ridge_mapping
from brainmark.brainscore.metrics.regression import fold_r, in_published_order
from brainmark.brainscore.metrics.splits import shuffle_splits, stratified_splits
from brainmark.core.comparison import Comparison
from brainmark.core.errors import InvalidMeasurement
from brainmark.core.libraries import np, xr
from brainmark.metrics.statistics.splits import Fold

Bin = tuple[float, float]
"""Start and end of a time bin, ms."""


@dataclass(frozen=True)
class SpanTime:
    """Metrics ``spantime_pls`` and ``spantime_ridge``: weights are shared by all time bins, which count as samples.

    Attributes
    ----------
    mapping : how neuroids are predicted.
    stratify : coordinate whose labels every split holds in equal shares.
    splits, train_size, seed : of the random splits of presentations; all bins of a presentation stay together.
    """

    mapping: Mapping
    stratify: str | None = "object_name"
    splits: int = 10
    train_size: float = 0.9
    seed: int = 1

    def __call__(self, prediction: xr.DataArray, target: xr.DataArray) -> dict[Bin, Comparison]:
        """Compare two recordings (presentation, neuroid, time_bin); return a comparison for each bin.

        Raises
        ------
        InvalidMeasurement : different presentations or time bins, NaN, too few presentations.
        """
        bins = time_bins(target, "target")
        if time_bins(prediction, "prediction") != bins:
            raise InvalidMeasurement("prediction and target have different time bins")
        both = [paired(prediction.isel(time_bin=t), target.isel(time_bin=t)) for t in range(len(bins))]
        n = len(both[0][1])
        names = labels(target, self.stratify)
        if names is None:
            folds = shuffle_splits(n, self.splits, self.train_size, self.seed)
        else:
            folds = stratified_splits(names, self.splits, self.train_size, self.seed)
        folds = in_published_order(folds, target)
        offsets = n * np.arange(len(bins))[:, None]
        spanned = [Fold(*((offsets + part).ravel() for part in fold)) for fold in folds]
        predictions = self.mapping(np.concatenate([x for x, _ in both]), np.concatenate([y for _, y in both]), spanned)
        return {
            name: by_split(self._scores(both[t][1], t, len(bins), predictions, folds), target, predictions[1])
            for t, name in enumerate(bins)
        }

    @staticmethod
    def _scores(y: np.ndarray, t: int, count: int, predictions: Predicted, folds: Sequence[Fold]) -> np.ndarray:
        """Correlations (split, neuroid) in one bin."""
        parts = [p.reshape(count, len(f.test), -1)[t] for p, f in zip(predictions[0], folds, strict=True)]
        return np.stack([fold_r(part, y[f.test]) for part, f in zip(parts, folds, strict=True)])


def spantime_pls(components: int = 25, stratify: str | None = "object_name") -> SpanTime:
    """Return ``spantime_pls``."""
    return SpanTime(partial(pls_mapping, components=components), stratify)


def spantime_ridge(alpha: float = 1.0, stratify: str | None = "object_name") -> SpanTime:
    """Return ``spantime_ridge``: the penalty is fixed."""
    return SpanTime(partial(ridge_mapping, alpha=alpha), stratify)


def by_time(measure: Callable[[xr.DataArray], Comparison]) -> Callable[[xr.DataArray], dict[Bin, Comparison]]:
    """Take a ceiling in each time bin: `by_time(internal_consistency)` is ``internal_consistency_temporal``."""

    def measured(target: xr.DataArray) -> dict[Bin, Comparison]:
        return {name: measure(target.isel(time_bin=t)) for t, name in enumerate(time_bins(target, "target"))}

    return measured


def time_bins(recording: xr.DataArray, name: str) -> list[Bin]:
    """Return start and end of every time bin of a recording.

    Raises
    ------
    InvalidMeasurement : no dimension ``time_bin``, or no ``time_bin_start`` and ``time_bin_end`` along it.
    """
    lacking = {"time_bin_start", "time_bin_end"} - set(map(str, recording.coords))
    if "time_bin" not in recording.dims or lacking or not recording.sizes["time_bin"]:
        raise InvalidMeasurement(
            f"{name} has dimensions {tuple(str(d) for d in recording.dims)}; expected (presentation, neuroid, "
            "time_bin) with coordinates time_bin_start and time_bin_end"
        )
    start, end = (np.asarray(recording.coords[f"time_bin_{edge}"].values, float) for edge in ("start", "end"))
    return list(zip(start.tolist(), end.tolist(), strict=True))
