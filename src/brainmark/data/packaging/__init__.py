"""Turns a lab's own recordings into one folder that is scored like any registered data set.

The formats are those of the modules `trials` (CSV), `arrays` (NumPy, MATLAB), `nwb` and `bids`; `add_format` adds one.
Each name loads its module when first used: reading a package, as lists do, needs no format.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # names and their homes: __init__.pyi
