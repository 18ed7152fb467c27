"""Regressions and ceilings, timed side by side with the metric objects of brainscore-vision and brainscore-language.

    python bench/metrics_speed.py --vision PYTHON --language PYTHON [--cases REGEX] [--results FILE] [--markdown PAGE]

Labelled arrays in, a score out, on both sides; `bench/parity/README.md` tells how to make the environments of peers.
Where all ten splits take the incumbent minutes it makes one, and its time is multiplied (*); the difference is that of
the scores over the splits that both made.
"""

from __future__ import annotations

from dataclasses import replace

from speed.recipes import Work, recording, trials
from speed.side_by_side import Case, main


def case(name: str, goal: float, work: Work, ours: Work | None = None, comparable: bool = True) -> Case:
    trial = work.metric == "internal_consistency"
    return Case(
        f"{name}, {work.n} x {work.p} → {work.q}" if not trial else f"{name}, {work.n} x {work.p} x {work.q}",
        "brainscore-" + work.package,
        work.package,
        ("incumbent.py", work.text()),
        ("ours.py", (ours or work).text()),
        lambda: trials(work) if trial else recording(work),
        goal,
        share=work.splits / 10,
        comparable=comparable,
    )


IT = Work("pls", 3200, 1000, 168, stratified=True)
RAW = replace(IT, p=25088, splits=1)
V4_RAW = replace(RAW, q=88)
V1 = Work("pls", 315, 1000, 102)
STORY = Work("linear_pearsonr", 384, 4096, 13000, package="language")
TRIALS = Work("internal_consistency", 3200, 50, 168)

CASES = [
    case("PLS 25", 50, IT),
    case("PLS 25", 50, replace(IT, q=88)),
    case("PLS 25", 20, V1),
    case("PLS 25", 250, RAW),
    case("PLS 25", 250, replace(V1, p=25088)),
    case("PLS 25, second region on the same features", 500, V4_RAW, replace(V4_RAW, metric="pls, prepared")),
    case("ridge", 30, replace(IT, metric="ridge")),
    case("ridge", 10, replace(IT, p=25088, metric="ridge")),
    case("least squares", 30, replace(IT, metric="linear_predictivity")),
    case("ridge, 99 penalties", 3, replace(IT, metric="ridgecv", splits=1)),
    case("ridge, 99 penalties, one split", 35, Work("dual_ridgecv_split", 515, 25088, 5000)),
    case("least squares", 200, STORY),
    case("ridge, 7 penalties", 50, replace(STORY, metric="ridge_pearsonr")),
    case("split-half ceiling, 10 halvings", 300, TRIALS),
    case("split-half ceiling, halves of trials", 300, TRIALS, replace(TRIALS, metric="split_half"), comparable=False),
]

if __name__ == "__main__":
    main(CASES, "Regressions and ceilings", __doc__)
