"""The terms that all rooms share. Importing this package loads no array library; modules load on first use."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # names and their homes: __init__.pyi
