"""VGG: deep stacks of 3 x 3 convolutions."""

from __future__ import annotations

from brainmark.models.sources.libraries import Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@inproceedings{simonyan2015,
  title = {Very deep convolutional networks for large-scale image recognition},
  author = {Simonyan, Karen and Zisserman, Andrew},
  booktitle = {International Conference on Learning Representations}, year = {2015}, eprint = {1409.1556}
}"""
POOLINGS = {16: (9, 16, 23, 30), 19: (9, 18, 27, 36)}  # the last four

VGG = Family("vgg", __name__, "BSD-3-Clause; weights CC-BY-4.0", CITE)
for depth, (v1, v2, v4, it) in POOLINGS.items():
    layers = (f"features.{v1}", f"features.{v2}", f"features.{v4}", f"features.{it}")
    VGG.add(f"vgg-{depth}", f"VGG with {depth} layers.", Net(Torchvision(f"vgg{depth}"), layers, "classifier.4"))
