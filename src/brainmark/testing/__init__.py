"""Conformance checks and simulated subjects, for this package and for yours.

In a test file of your own package::

    import pytest
    from brainmark.testing import cases

    @pytest.mark.parametrize("case", cases("my_package"), ids=str)
    def test_conformance(case):
        case.run()

From the command line: ``brainmark check my_package``. From Python: ``check_package("my_package")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainmark.core.lazy import attach

if TYPE_CHECKING:
    from brainmark.testing.examples import MetricExample, images, metric_example, texts
    from brainmark.testing.subjects import (
        Constant,
        Echo,
        Failing,
        Misnamed,
        Noise,
        Projection,
        Refusing,
        Truncated,
        Undefined,
    )
    from brainmark.testing.suite import (
        Case,
        CheckFailed,
        CheckResult,
        CheckSkipped,
        ConformanceError,
        cases,
        check_benchmark,
        check_dataset,
        check_metric,
        check_model,
        check_package,
        checks_of,
        run_checks,
    )  # fmt: skip

_HOMES = {
    "suite": (
        "Case CheckFailed CheckResult CheckSkipped ConformanceError cases check_benchmark check_dataset check_metric "
        "check_model check_package checks_of run_checks"
    ),
    "examples": "MetricExample images metric_example texts",
    "subjects": "Constant Echo Failing Misnamed Noise Projection Refusing Truncated Undefined",
}
__getattr__, __dir__, __all__ = attach(__name__, _HOMES)
