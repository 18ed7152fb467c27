"""How alike two populations are: dissimilarities, alignment, distributions of tuning."""

from __future__ import annotations

from typing import Literal

from brainmark.core import Metric, MetricCard, metrics
from brainmark.metrics.similarity import alignment
from brainmark.metrics.similarity import rsa as similarity
from brainmark.metrics.tuning import distributions

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
    """Representational similarity, see `brainmark.metrics.similarity.rsa.rdm`."""
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
    """Similarity of two distributions, see `brainmark.metrics.tuning.distributions.tuning_distribution`."""
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
    """Centred kernel alignment, see `brainmark.metrics.similarity.alignment.cka`."""
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
    """Procrustes similarity, see `brainmark.metrics.similarity.alignment.procrustes`."""
    return alignment.procrustes(resamples, seed)
