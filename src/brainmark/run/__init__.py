"""Runs benchmarks on models, one or many, with stamps and a cache of scores."""
