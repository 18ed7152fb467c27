"""Networks by their descriptions: a table of fields, the weights it names, and the subject it makes of a network.

``description``  the fields of one model (pydantic), and the card that they make
``toml_files``   reads files of descriptions, such as ``zoo.toml`` and a user's ``models.toml``
``weights``      a file of weights that a description names, and how it is put into the network
``depth``        chooses layers for regions by their depth, where a description names none
``subject``      makes the subject of a network and its description
"""
