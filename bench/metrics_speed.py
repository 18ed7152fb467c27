"""Regressions and ceilings, timed side by side with the metric objects of brainscore-vision and brainscore-language.

    python bench/metrics_speed.py --vision PYTHON --language PYTHON [--cases REGEX] [--results FILE] [--markdown PAGE]

Labelled arrays in, a score out, on both sides; `bench/parity/README.md` tells how to make the environments of the peers.
Where all ten splits take the incumbent minutes it makes one, and its time is multiplied (*); the difference is that of
the scores over the splits that both made.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from common.side_by_side import Case, main
from parity import cases as parity


def case(work: str, goal: float, recipe: parity.Case, ours: parity.Case | None = None, comparable: bool = True) -> Case:
    shape = " x ".join(map(str, (recipe.n, recipe.p))) + f" → {recipe.q}"
    return Case(
        f"{work}, {shape}",
        "Brain-Score" if recipe.package == "vision" else "Brain-Score language",
        recipe.package,
        ("parity/incumbent.py", json.dumps(asdict(recipe))),
        ("parity/ours.py", json.dumps(asdict(ours or recipe))),
        lambda: parity.make(recipe),
        goal,
        share=recipe.splits / 10,
        comparable=comparable,
    )


IT = parity.Case("pls", n=3200, p=1000, q=168, stratified=True)
RAW = replace(IT, p=25088, splits=1)
V4_RAW = replace(RAW, q=88)
V1 = parity.Case("pls", n=315, p=1000, q=102)
STORY = parity.Case("linear_pearsonr", "language", n=384, p=4096, q=13000)
TRIALS = parity.Case("internal_consistency", kind="repetitions", n=3200, p=50, q=168)

CASES = [
    case("PLS 25", 50, IT),
    case("PLS 25", 50, replace(IT, q=88)),
    case("PLS 25", 20, V1),
    case("PLS 25", 250, RAW),
    case("PLS 25", 250, replace(V1, p=25088)),
    case("PLS 25, second region on the same features", 500, V4_RAW, replace(V4_RAW, metric="pls_second")),
    case("ridge", 30, replace(IT, metric="ridge")),
    case("ridge", 10, replace(RAW, metric="ridge", splits=10)),
    case("least squares", 30, replace(IT, metric="linear_predictivity")),
    case("ridge, 99 penalties", 3, replace(IT, metric="ridgecv", splits=1)),
    case(
        "ridge, 99 penalties, one split",
        35,
        parity.Case("dual_ridgecv_split", kind="split", n=515, p=25088, q=5000),
    ),
    case("least squares of language", 200, STORY),
    case("ridge of language, 7 penalties", 50, replace(STORY, metric="ridge_pearsonr")),
    case("split-half ceiling, 10 halvings (stimuli x repetitions → neuroids)", 300, TRIALS),
    case(
        "the same, of the default convention",
        300,
        TRIALS,
        replace(TRIALS, metric="split_half"),
        comparable=False,
    ),
]

if __name__ == "__main__":
    main(CASES, "Regressions and ceilings", __doc__)
