"""Networks by their descriptions: a table of fields, the weights it names, and the subject it makes of a network.

``description``  the fields of one model (pydantic), and the card that they make
``toml_files``   reads files of descriptions, such as ``zoo.toml`` and a user's ``models.toml``
``model``        a network of a source with its description, as lists need it
``subject``      makes a subject of the two; loaded when it is first used
``weights``      a file of weights that a description names, and how it is put into the network
``depth``        chooses layers for regions by their depth, where a description names none
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # names and their homes: __init__.pyi
