"""Scores computational models of natural intelligence against brains and behaviour.

    >>> import brainmark
    >>> brainmark.score("gabor", "Simulated.IT-ridge")  # doctest: +SKIP

Importing this package loads no array library; each name loads its module when first used.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # names and their homes: __init__.pyi
