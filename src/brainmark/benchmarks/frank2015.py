"""Frank 2013 and 2015 (UCL corpus): reading times and brain potentials for 205 sentences, against surprisal.

Signs: reading times rise with surprisal, and so do the late positive components (EPNP, P600, PNP); the negative ones
(ELAN, LAN, N400) become more negative, cloze probability and rated predictability fall. A value above 0 always means
that a word which the model finds less expected has a larger effect on readers.

The plain correlations are over all words, as they were published. Where nuisance is taken into account, the last word
of each sentence is left out: readers wrap up there, and potentials are far more positive.
"""

from __future__ import annotations

from brainmark.benchmarks.reading import FITS, Reading, register_reading
from brainmark.studies.frank2015 import MEASURES

FALLING = ("ELAN", "LAN", "N400", "cloze", "rated")
POTENTIALS = ("ELAN", "LAN", "N400", "EPNP", "P600", "PNP")
JUDGED = ("cloze", "rated")

for _measure, (_, _, _what) in MEASURES.items():
    _reading = Reading(
        f"Frank2015.{_measure}",
        f"{_what} in 205 sentences",
        "sentence",
        sign=-1 if _measure in FALLING else 1,
        spillover=1 if _measure == "self_paced" else 0,
        leave_out="last",
        parent="ERP" if _measure in POTENTIALS else "behavior",
    )
    for _fit in FITS if _measure not in JUDGED else ("correlation",):
        register_reading(f"Frank2015.{_measure}", _reading, _fit)
