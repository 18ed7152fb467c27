"""How alike choices and judgements are."""

from __future__ import annotations

from typing import Literal

from brainmark.core import Metric, MetricCard, metrics
from brainmark.metrics.behavior import choices, judgements, shares
from brainmark.metrics.behavior import patterns as behavior
from brainmark.metrics.behavior import soft_labels as module

RAJALINGHAM_2018 = """@article{rajalingham2018large,
  author = {Rajalingham, Rishi and Issa, Elias B. and Bashivan, Pouya and Kar, Kohitij and Schmidt, Kailyn and
            DiCarlo, James J.},
  title = {Large-Scale, High-Resolution Comparison of the Core Visual Object Recognition Behavior of Humans, Monkeys,
           and State-of-the-Art Deep Artificial Neural Networks},
  journal = {Journal of Neuroscience}, volume = {38}, pages = {7255--7269}, year = {2018}}"""
GEIRHOS_2019 = """@inproceedings{geirhos2019imagenet,
  author = {Geirhos, Robert and Rubisch, Patricia and Michaelis, Claudio and Bethge, Matthias and
            Wichmann, Felix A. and Brendel, Wieland},
  title = {{ImageNet}-Trained {CNNs} Are Biased Towards Texture; Increasing Shape Bias Improves Accuracy and
           Robustness},
  booktitle = {ICLR}, year = {2019}}"""
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
    """Patterns of sensitivity, see `brainmark.metrics.behavior.patterns.choice_pattern`."""
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
    """Consistency of errors, see `brainmark.metrics.behavior.choices.error_consistency`."""
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
    """Similarity of confusions, see `brainmark.metrics.behavior.choices.confusion_similarity`."""
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
    """Distributions of choices, see `brainmark.metrics.behavior.soft_labels.soft_labels`."""
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
def accuracy(truth: str = "label", by: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Accuracy, see `brainmark.metrics.behavior.accuracy.accuracy`."""
    from brainmark.metrics.behavior import accuracy as module

    return module.accuracy(truth, by, resamples, seed)


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
    """Correlation of judgements, see `brainmark.metrics.behavior.judgements.judgement_correlation`."""
    return judgements.judgement_correlation(method, resamples, seed)


@metrics.add(
    "accuracy_distance",
    card=MetricCard(
        summary="How near a model's accuracy is to each subject's, as a share of the largest distance possible.",
        licence="MIT",
        cite=GEIRHOS_2021,
        compares="choices",
        chance=None,
        tags=("behavior",),
    ),
)
def accuracy_distance(truth: str = "label", within: str | None = None, resamples: int = 1000, seed: int = 0) -> Metric:
    """Nearness of accuracies, see `brainmark.metrics.behavior.choices.accuracy_distance`."""
    return choices.accuracy_distance(truth, within, resamples, seed)


@metrics.add(
    "shape_bias",
    card=MetricCard(
        summary="How near a model's preference for shape over texture is to each subject's, on conflicting cues.",
        licence="MIT",
        cite=f"{GEIRHOS_2019}\n{GEIRHOS_2021}",
        compares="choices",
        chance=None,
        tags=("behavior",),
    ),
)
def shape_bias(shape: str = "label", texture: str = "texture", resamples: int = 1000, seed: int = 0) -> Metric:
    """Nearness of shape biases, see `brainmark.metrics.behavior.shape_bias.shape_bias`."""
    from brainmark.metrics.behavior import shape_bias as module

    return module.shape_bias(shape, texture, resamples, seed)


@metrics.add(
    "share_correlation",
    card=MetricCard(
        summary="Correlates a model's probability of one of two answers with the share of people's trials.",
        licence="MIT",
        cite=GALTON_1888,
        compares="shares",
        tags=("behavior",),
    ),
)
def share_correlation(
    choice: str = "yes", method: Literal["pearson", "spearman"] = "pearson", resamples: int = 1000, seed: int = 0
) -> Metric:
    """Correlation of shares, see `brainmark.metrics.behavior.shares.share_correlation`."""
    return shares.share_correlation(choice, method, resamples, seed)


@metrics.add(
    "curve_similarity",
    card=MetricCard(
        summary="How near a model's psychometric curve is to each subject's, level by level.",
        licence="MIT",
        cite=GEIRHOS_2021,
        compares="shares",
        chance=None,
        tags=("behavior", "psychophysics"),
    ),
)
def curve_similarity(choice: str = "yes", level: str = "level", resamples: int = 1000, seed: int = 0) -> Metric:
    """Nearness of psychometric curves, see `brainmark.metrics.behavior.shares.curve_similarity`."""
    return shares.curve_similarity(choice, level, resamples, seed)
