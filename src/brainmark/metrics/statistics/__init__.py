"""Splits, resampling, ceilings, correlations, and inference over scores."""
