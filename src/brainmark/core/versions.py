"""Versions of what many numbers share; each is raised by hand when numbers change.

What one metric, benchmark, data set or model does has its version on its card. The golden scores of the tests fail
where a number changed and no version did.
"""

SCORING = 1
"""How values of units become a score: alignment with the ceiling, convention, interval, controls, trials, time bins."""

RECORDING = 1
"""How models are shown stimuli and answer: preparation of images and texts, layers read out, choices and ratings."""
