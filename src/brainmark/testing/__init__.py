"""Conformance checks and simulated subjects, for Brainmark and for other packages.

In a test file of your own package::

    import pytest
    from brainmark.testing import cases

    @pytest.mark.parametrize("case", cases("my_package"), ids=str)
    def test_conformance(case):
        case.run()

From the command line: ``brainmark check my_package``. From Python: ``check_package("my_package")``.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # names and their homes: __init__.pyi
