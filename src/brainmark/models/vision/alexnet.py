"""AlexNet."""

from __future__ import annotations

from brainmark.models.sources.libraries import Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@article{krizhevsky2014,
  title = {One weird trick for parallelizing convolutional neural networks},
  author = {Krizhevsky, Alex}, journal = {arXiv}, year = {2014}, eprint = {1404.5997}
}
@inproceedings{krizhevsky2012,
  title = {{ImageNet} classification with deep convolutional neural networks},
  author = {Krizhevsky, Alex and Sutskever, Ilya and Hinton, Geoffrey E.},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {25}, year = {2012}
}"""

ALEXNET = Family("alexnet", __name__, "BSD-3-Clause", CITE)
LAYERS = ("features.2", "features.5", "features.9", "features.12")
ALEXNET.add("alexnet", "AlexNet: five convolutions.", Net(Torchvision("alexnet"), LAYERS, "classifier.5"))
