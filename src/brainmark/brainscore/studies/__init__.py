"""Data sets and benchmarks that Brain-Score publishes: one file a study, or a collection of them."""

from brainmark.brainscore.studies import kar2019, language, marques2020, public
