"""Futrell 2018 (Natural Stories): self-paced reading times of ten stories, and how unexpected each word is.

The cost of a word goes on into the next: length, frequency and position of the word before are taken into account, too.
"""

from __future__ import annotations

from brainmark.benchmarks.reading import FITS, Reading, register_reading

STORIES = Reading("Futrell2018.natural_stories", "reading times of ten stories", "story", spillover=1, errors=True)

for _fit in FITS:
    register_reading("Futrell2018", STORIES, _fit)
