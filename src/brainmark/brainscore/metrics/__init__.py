"""The published scores of brainscore-vision 2.4.2 and brainscore-language 2.3.0, number for number.

For comparison with scores in the literature. The rest of the package follows another convention (sign kept, intervals,
one penalty per neuroid); the two are never mixed. Every metric returns a `core.Comparison` with the values of each
split; `aggregate` puts them together as published: median over neuroids in each split, mean over splits, error =
standard deviation over splits / sqrt(splits). Recordings are labelled arrays, aligned by ``stimulus_id``, or plain
arrays with the same rows. The order of the target's presentations decides which of them a split tests:
`average_repetition` brings them into the published order.

=============================== =======================================================================
published name                  here
=============================== =======================================================================
pls, pls_cv, reverse_pls        `pls`, `reverse_pls`
ridge, ridge_cv                 `ridge` (the penalty is fixed at 1; "cv" names the splits)
linear_predictivity             `linear_predictivity`
neuron_to_neuron                `neuron_to_neuron`
``*_split``, dual_ridge_split,  `train_test("pls")` ...; without ``alpha_coord``
dual_ridgecv_split
rdm, rdm_cv, cka, cka_biased,   `rdm`, `rdm_cv`, `cka`, `cka_cv`, `rsa_ceiling`
cka_cv, rsa_ceiling
internal_consistency            `internal_consistency`
spantime_pls, spantime_ridge,   `spantime_pls`, `spantime_ridge`; `by_time(internal_consistency)`
internal_consistency_temporal
i1, i2n                         `image_level("i1")` ... and its ``ceiling``
error_consistency, accuracy,    `error_consistency`, `accuracy`, `accuracy_distance` and their ceilings,
accuracy_distance, value_delta  `value_delta`
threshold, threshold_elevation  `threshold`, `threshold_elevation`, `threshold_ceiling`
ost                             `SolutionTimes`, but for the starting weights of its decoder
ks_similarity, property_ceiling `property_similarity`; the properties of cells and units: `brainscore.metrics.tuning`
linear_pearsonr, ridge_pearsonr `linear_pearsonr`, `ridge_pearsonr`, `pearsonr`; `cka(unbiased=False)`
ExtrapolationCeiling            `ExtrapolationCeiling`; of Pereira 2018: `SampledExtrapolation`
explained_variance, ...         `conventions`: how a score is divided by its ceiling
=============================== =======================================================================

Known faults, reproduced here and nowhere else:

- r is squared before it is divided by the reliability: r = -.3 scores like +.3. `error_consistency`, `pearsonr` and
  `accuracy_distance` return magnitudes.
- The error of a normalised score is that of the raw one, not rescaled; errors over splits ignore that the splits share
  presentations; those of behavioural metrics are standard deviations, not divided by the root of their number.
- Spearman-Brown is applied to each split and to negative r; repetition numbers are halved, not trials of a stimulus.
- Which presentations are tested depends on the names of labels, which `average_repetition` sorts and stratified splits
  sort again.
- PLS stops its iterations early (tolerance 1e-6): single neuroids differ by up to 1e-3 from the solution.
- ``rdm_cv`` and ``cka_cv`` look at 90 % of the presentations ("test") and train nothing; unbiased CKA is 0 where the
  product of the variances is not positive.
- ``i2n`` compares a model with half of the trials and does not correct the ceiling for their length.
- Thresholds that cannot be fitted, and distributions with too many empty draws, score 0.
- The ceiling of Pereira 2018 draws from sets of names, whose order differs from process to process: its value depends
  on the hash seed of Python, unless subjects are numbered.
- The threshold ceiling draws people with a new seed each time: some are never left out.

Not reproduced: state that a metric object keeps between calls (thresholds reuse the first inflection accuracy), draws
without a seed (`property_similarity` takes one), rounding of features kept in float16 or float32, or far from 0
(unbiased CKA is then 0), or of a rank below the components of PLS; overflow of integers. PLS with fewer units than
components, which the published code refuses, uses what there is and says so. NaN is refused. The decoder of ``ost``
starts from weights of TensorFlow's generator, here of NumPy's. Absent: metrics of single studies
(``mask_regression``, ``baker_accuracy_delta``, ``kato_*``, ``tasks_consistency``, ``confusion_similarity``,
``predictor_consistency``, ``factor_dimensionality``).
"""

from __future__ import annotations

from brainmark.brainscore.metrics.assemblies import Aggregate, aggregate, average_repetition
from brainmark.brainscore.metrics.behavior import ImageLevel, image_level
from brainmark.brainscore.metrics.ceilings import ExtrapolationCeiling, SampledExtrapolation, internal_consistency
from brainmark.brainscore.metrics.labels import (
    accuracy,
    accuracy_distance,
    accuracy_distance_ceiling,
    error_consistency,
    error_consistency_ceiling,
    value_delta,
)
from brainmark.brainscore.metrics.language import linear_pearsonr, pearsonr, ridge_pearsonr
from brainmark.brainscore.metrics.regression import (
    SpanTime,
    by_time,
    linear_predictivity,
    neuron_to_neuron,
    pls,
    prepare_units,
    reverse_pls,
    ridge,
    ridgecv,
    spantime_pls,
    spantime_ridge,
    train_test,
)
from brainmark.brainscore.metrics.similarity import cka, cka_cv, rdm, rdm_cv, rsa_ceiling
from brainmark.brainscore.metrics.solution_times import SolutionTimes
from brainmark.brainscore.metrics.splits import fold_groups, shuffle_splits, split_by_strata
from brainmark.brainscore.metrics.thresholds import elevations, threshold, threshold_ceiling, threshold_elevation
from brainmark.brainscore.metrics.tuning import property_similarity
