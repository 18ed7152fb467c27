"""Candidate models as subjects.

``networks``     torch modules that are written here
``activations``  records layers of a network while stimuli pass it
``readouts``     answers that are learnt from activations
``subjects``     how a network takes part in experiments: in vision, in language, by words, by pixels
``sources``      where networks come from: libraries, the hub, functions, files
``described``    networks by their descriptions in TOML
``zoo``          registers the networks of ``zoo.toml``
``finder``       loads models by names that are not registered, such as ``timm/resnet18``
"""
