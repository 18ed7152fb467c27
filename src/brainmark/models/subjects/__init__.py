"""Subjects: models that take part in experiments.

``vision``          networks that see; ``screen`` (pixels and degrees), ``units`` (which of a layer are recorded)
``language``        networks that take texts; ``text_runner`` runs texts of any length (in ``text_passes``),
                    ``token_networks`` gives networks one interface (``token_layouts``, ``token_trials``),
                    ``tokens`` turns texts into tokens
``word_models``     subjects that say something of each word alone: ``word_baselines``, ``word_vectors``
``pixels``          the image itself
``simulated``       what simulated brains are made of
``layered``         what vision and language have in common; ``readout`` names the layers that stand for a region
``observer``        answers to behavioural questions; ``classes`` names what the logits stand for
``coerce``          turns a network, or another package's subject, into one of these
``arguments``       checks of what a subject is given
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # names and their homes: __init__.pyi
