"""Registered metrics. Imported by every listing: heavy libraries are imported inside the functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from brainmark.core import MetricCard, metrics

if TYPE_CHECKING:
    from brainmark.core import Metric
    from brainmark.metrics.splits import Splitter

_WOLD_1975 = (
    "@incollection{wold1975, author={Wold, Herman}, title={Path Models with Latent Variables: The NIPALS Approach}, "
    "booktitle={Quantitative Sociology}, publisher={Academic Press}, year={1975}, pages={307--357}}"
)
_YAMINS_2014 = (
    "@article{yamins2014, author={Yamins, Daniel L. K. and Hong, Ha and Cadieu, Charles F. and Solomon, Ethan A. and "
    "Seibert, Darren and DiCarlo, James J.}, title={Performance-optimized hierarchical models predict neural responses "
    "in higher visual cortex}, journal={PNAS}, volume={111}, number={23}, pages={8619--8624}, year={2014}}"
)
_HOERL_1970 = (
    "@article{hoerl1970, author={Hoerl, Arthur E. and Kennard, Robert W.}, title={Ridge Regression: Biased Estimation "
    "for Nonorthogonal Problems}, journal={Technometrics}, volume={12}, number={1}, pages={55--67}, year={1970}}"
)
_GOLUB_1979 = (
    "@article{golub1979, author={Golub, Gene H. and Heath, Michael and Wahba, Grace}, title={Generalized "
    "Cross-Validation as a Method for Choosing a Good Ridge Parameter}, journal={Technometrics}, volume={21}, "
    "number={2}, pages={215--223}, year={1979}}"
)
_KHOSLA_2024 = (
    "@inproceedings{khosla2024, author={Khosla, Meenakshi and Williams, Alex H.}, title={Soft Matching Distance: A "
    "metric on neural representations that captures single-neuron tuning}, booktitle={Proceedings of UniReps}, "
    "year={2024}}"
)


@metrics.add(
    "pls",
    card=MetricCard(
        summary="Cross-validated r of each neuroid, predicted by partial least squares with 25 components.",
        licence="MIT",
        cite=f"{_WOLD_1975}\n{_YAMINS_2014}",
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
    from brainmark.metrics import predictivity

    return predictivity.pls(components, splits or predictivity.TEN_FOLDS, resamples, seed, device=device)


@metrics.add(
    "ridge",
    card=MetricCard(
        summary="Cross-validated r of each neuroid, predicted by ridge regression, penalty chosen in the fold.",
        licence="MIT",
        cite=f"{_HOERL_1970}\n{_GOLUB_1979}",
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
    from brainmark.metrics import predictivity

    folds = splits or predictivity.TEN_FOLDS
    return predictivity.ridge(alphas, per_target, selection, folds, resamples, seed, device)


@metrics.add(
    "ols",
    card=MetricCard(
        summary="Cross-validated r of each neuroid, predicted by ordinary least squares.",
        licence="MIT",
        cite=_YAMINS_2014,
        compares="recordings",
        tags=("regression",),
    ),
)
def ols(splits: Splitter | None = None, resamples: int = 1000, seed: int = 0, device: str | None = None) -> Metric:
    """Return neural predictivity by least squares (least norm); `splits` None: ten shuffled folds."""
    from brainmark.metrics import predictivity

    return predictivity.ols(splits or predictivity.TEN_FOLDS, resamples, seed, device)


@metrics.add(
    "single_unit",
    card=MetricCard(
        summary="Cross-validated r of each neuroid with the one unit of the model that suits it best.",
        licence="MIT",
        cite=_KHOSLA_2024,
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
    """Return the match of single units, see `brainmark.metrics.matching.single_unit`."""
    from brainmark.metrics import matching

    return matching.single_unit(partners, splits or matching.TEN_FOLDS, resamples, seed)


@metrics.add(
    "soft_matching",
    card=MetricCard(
        summary="Cross-validated r under the best soft matching of units and neuroids (optimal transport).",
        licence="MIT",
        cite=_KHOSLA_2024,
        compares="recordings",
        tags=("matching",),
    ),
)
def soft_matching(splits: Splitter | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Return the match of populations, see `brainmark.metrics.matching.SoftMatching`."""
    from brainmark.metrics import matching

    return matching.SoftMatching(splits or matching.TEN_FOLDS, resamples, seed)


KRIEGESKORTE_2008 = """@article{kriegeskorte2008matching,
  author = {Kriegeskorte, Nikolaus and Mur, Marieke and Ruff, Douglas A. and Kiani, Roozbeh and Bodurka, Jerzy and
            Esteky, Hossein and Tanaka, Keiji and Bandettini, Peter A.},
  title = {Matching Categorical Object Representations in Inferior Temporal Cortex of Man and Monkey},
  journal = {Neuron}, volume = {60}, pages = {1126--1141}, year = {2008}, doi = {10.1016/j.neuron.2008.10.043}}"""
MARQUES_2021 = """@article{marques2021multi,
  author = {Marques, Tiago and Schrimpf, Martin and DiCarlo, James J.},
  title = {Multi-scale hierarchical neural network models that bridge from single neurons in the primate primary visual
           cortex to object recognition behavior},
  journal = {bioRxiv}, year = {2021}, doi = {10.1101/2021.03.01.433495}}"""


@metrics.add(
    "rdm",
    card=MetricCard(
        summary="Correlates the dissimilarity matrix of a population with that of each subject.",
        licence="MIT",
        cite=KRIEGESKORTE_2008,
        compares="dissimilarities",
        tags=("similarity",),
    ),
)
def rdm(
    distance: Literal["correlation", "euclidean", "squared_euclidean", "cosine"] = "correlation",
    compare: Literal[
        "pearson", "spearman", "rho-a", "tau-a", "cosine", "whitened-pearson", "whitened-cosine"
    ] = "spearman",
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Representational similarity, see `brainmark.metrics.similarity.rdm`."""
    from brainmark.metrics import similarity

    return similarity.rdm(distance, compare, resamples, seed)


@metrics.add(
    "tuning_distribution",
    card=MetricCard(
        summary="Compares the distribution of a tuning property over units with that over recorded cells.",
        licence="MIT",
        cite=MARQUES_2021,
        domain="vision",
        compares="distributions",
        chance=None,
        tags=("tuning",),
    ),
)
def tuning_distribution(
    property: str = "circular_variance",
    edges: tuple[float, ...] | None = None,
    harmonic: Literal["larger", "F0", "F1"] = "larger",
    rates: bool = True,
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Similarity of two distributions, see `brainmark.metrics.distributions.tuning_distribution`."""
    from brainmark.metrics import distributions

    return distributions.tuning_distribution(property, edges, harmonic, rates, resamples, seed)


KORNBLITH_2019 = """@inproceedings{kornblith2019similarity,
  author = {Kornblith, Simon and Norouzi, Mohammad and Lee, Honglak and Hinton, Geoffrey},
  title = {Similarity of Neural Network Representations Revisited},
  booktitle = {ICML}, year = {2019}}"""
WILLIAMS_2021 = """@inproceedings{williams2021generalized,
  author = {Williams, Alex H. and Kunz, Erin and Kornblith, Simon and Linderman, Scott W.},
  title = {Generalized Shape Metrics on Neural Representations},
  booktitle = {NeurIPS}, year = {2021}}"""


@metrics.add(
    "cka",
    card=MetricCard(
        summary="Aligns the linear kernels of two populations, without bias from the number of neuroids.",
        licence="MIT",
        cite=KORNBLITH_2019,
        compares="recordings",
        tags=("similarity",),
    ),
)
def cka(unbiased: bool = True, resamples: int = 1000, seed: int = 0) -> Metric:
    """Centred kernel alignment, see `brainmark.metrics.alignment.cka`."""
    from brainmark.metrics import alignment

    return alignment.cka(unbiased, resamples, seed)


@metrics.add(
    "procrustes",
    card=MetricCard(
        summary="Cosine of the angle between two populations after the best rotation of one into the other.",
        licence="MIT",
        cite=WILLIAMS_2021,
        compares="recordings",
        chance=None,
        tags=("similarity",),
    ),
)
def procrustes(resamples: int = 100, seed: int = 0) -> Metric:
    """Procrustes similarity, see `brainmark.metrics.alignment.procrustes`."""
    from brainmark.metrics import alignment

    return alignment.procrustes(resamples, seed)


RAJALINGHAM_2018 = """@article{rajalingham2018large,
  author = {Rajalingham, Rishi and Issa, Elias B. and Bashivan, Pouya and Kar, Kohitij and Schmidt, Kailyn and
            DiCarlo, James J.},
  title = {Large-Scale, High-Resolution Comparison of the Core Visual Object Recognition Behavior of Humans, Monkeys,
           and State-of-the-Art Deep Artificial Neural Networks},
  journal = {Journal of Neuroscience}, volume = {38}, pages = {7255--7269}, year = {2018}}"""
GEIRHOS_2020 = """@inproceedings{geirhos2020beyond,
  author = {Geirhos, Robert and Meding, Kristof and Wichmann, Felix A.},
  title = {Beyond Accuracy: Quantifying Trial-by-Trial Behaviour of {CNNs} and Humans by Measuring Error Consistency},
  booktitle = {NeurIPS}, year = {2020}}"""
GEIRHOS_2021 = """@inproceedings{geirhos2021partial,
  author = {Geirhos, Robert and Narayanappa, Kantharaju and Mitzkus, Benjamin and Thieringer, Tizian and
            Bethge, Matthias
            and Wichmann, Felix A. and Brendel, Wieland},
  title = {Partial Success in Closing the Gap between Human and Machine Vision},
  booktitle = {NeurIPS}, year = {2021}}"""
PETERSON_2019 = """@inproceedings{peterson2019human,
  author = {Peterson, Joshua C. and Battleday, Ruairidh M. and Griffiths, Thomas L. and Russakovsky, Olga},
  title = {Human Uncertainty Makes Classification More Robust},
  booktitle = {ICCV}, year = {2019}}"""
DENG_2009 = """@inproceedings{deng2009imagenet,
  author = {Deng, Jia and Dong, Wei and Socher, Richard and Li, Li-Jia and Li, Kai and Fei-Fei, Li},
  title = {{ImageNet}: A Large-Scale Hierarchical Image Database}, booktitle = {CVPR}, year = {2009}}"""
GALTON_1888 = """@article{galton1888co,
  author = {Galton, Francis}, title = {Co-relations and Their Measurement},
  journal = {Proceedings of the Royal Society of London}, volume = {45}, pages = {135--145}, year = {1888}}"""


@metrics.add(
    "choice_pattern",
    card=MetricCard(
        summary="Correlates which images and distractors are hard for a model and for people (i1, i2n, o2, ...).",
        licence="MIT",
        cite=RAJALINGHAM_2018,
        compares="choices",
        tags=("behavior",),
    ),
)
def choice_pattern(
    level: Literal["o1", "o2", "i1", "i2", "o2n", "i1n", "i2n"] = "i2n",
    truth: str = "label",
    resamples: int = 200,
    seed: int = 0,
) -> Metric:
    """Patterns of sensitivity, see `brainmark.metrics.behavior.choice_pattern`."""
    from brainmark.metrics import behavior

    return behavior.choice_pattern(level, truth, resamples, seed)


@metrics.add(
    "error_consistency",
    card=MetricCard(
        summary="Cohen's kappa between the right and wrong answers of a model and of each subject.",
        licence="MIT",
        cite=GEIRHOS_2020,
        compares="choices",
        tags=("behavior",),
    ),
)
def error_consistency(truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Consistency of errors, see `brainmark.metrics.choices.error_consistency`."""
    from brainmark.metrics import choices

    return choices.error_consistency(truth, within, resamples, seed)


@metrics.add(
    "confusion_similarity",
    card=MetricCard(
        summary="Correlates what a model and each subject take a label for when they err.",
        licence="MIT",
        cite=GEIRHOS_2021,
        compares="choices",
        chance=None,
        tags=("behavior",),
    ),
)
def confusion_similarity(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Metric:
    """Similarity of confusions, see `brainmark.metrics.choices.confusion_similarity`."""
    from brainmark.metrics import choices

    return choices.confusion_similarity(truth, resamples, seed)


@metrics.add(
    "soft_labels",
    card=MetricCard(
        summary="Correlates how a model and people spread their choices over wrong labels, or how unsure they are.",
        licence="MIT",
        cite=PETERSON_2019,
        compares="choices",
        tags=("behavior",),
    ),
)
def soft_labels(
    aspect: Literal["errors", "entropy", "choices"] = "errors",
    truth: str = "label",
    resamples: int = 1000,
    seed: int = 0,
) -> Metric:
    """Distributions of choices, see `brainmark.metrics.soft_labels.soft_labels`."""
    from brainmark.metrics import soft_labels as module

    return module.soft_labels(aspect, truth, resamples, seed)


@metrics.add(
    "accuracy",
    card=MetricCard(
        summary="Share of stimuli on which the model's first choice is the right label (top-1).",
        licence="MIT",
        cite=DENG_2009,
        compares="choices",
        chance=None,
        tags=("behavior", "engineering"),
    ),
)
def accuracy(truth: str = "label", resamples: int = 1000, seed: int = 0) -> Metric:
    """Accuracy, see `brainmark.metrics.accuracy.accuracy`."""
    from brainmark.metrics import accuracy as module

    return module.accuracy(truth, resamples, seed)


@metrics.add(
    "judgement_correlation",
    card=MetricCard(
        summary="Correlates one number a stimulus, such as a rating or a reading time, with people's mean.",
        licence="MIT",
        cite=GALTON_1888,
        compares="judgements",
        tags=("behavior",),
    ),
)
def judgement_correlation(
    method: Literal["pearson", "spearman"] = "pearson", resamples: int = 1000, seed: int = 0
) -> Metric:
    """Correlation of judgements, see `brainmark.metrics.judgements.judgement_correlation`."""
    from brainmark.metrics import judgements

    return judgements.judgement_correlation(method, resamples, seed)


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
        cite=f"{SCHRIMPF_2018}\n{_YAMINS_2014}",
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_pls(components: int = 25, stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``pls`` (`reverse`: ``reverse_pls``), see `brainmark.metrics.brainscore`."""
    from brainmark.metrics import brainscore

    return brainscore.pls(components, stratify, reverse)


@metrics.add(
    "brainscore-ridge",
    card=MetricCard(
        summary="Neural predictivity by ridge regression with a fixed penalty exactly as Brain-Score publishes it.",
        licence="MIT",
        cite=f"{SCHRIMPF_2018}\n{_HOERL_1970}",
        compares="recordings",
        tags=("regression", "brainscore"),
    ),
)
def brainscore_ridge(alpha: float = 1.0, stratify: str | None = "object_name", reverse: bool = False) -> Metric:
    """Return the published ``ridge``, see `brainmark.metrics.brainscore`."""
    from brainmark.metrics import brainscore

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
    """Return the published ``linear_predictivity``, see `brainmark.metrics.brainscore`."""
    from brainmark.metrics import brainscore

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
    """Return the published ``neuron_to_neuron``, see `brainmark.metrics.brainscore`."""
    from brainmark.metrics import brainscore

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
    """Return the published ``rdm``, see `brainmark.metrics.brainscore`."""
    from brainmark.metrics import brainscore

    return brainscore.rdm()
