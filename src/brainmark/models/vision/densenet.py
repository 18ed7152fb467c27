"""DenseNet: each layer sees all earlier ones of its block."""

from __future__ import annotations

from brainmark.models.sources.libraries import Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@inproceedings{huang2017,
  title = {Densely connected convolutional networks},
  author = {Huang, Gao and Liu, Zhuang and van der Maaten, Laurens and Weinberger, Kilian Q.},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2017}, pages = {4700--4708}
}"""

DENSENET = Family("densenet", __name__, "BSD-3-Clause", CITE)
LAYERS = ("features.denseblock1", "features.denseblock2", "features.denseblock3", "features.norm5")
for depth in (121, 169, 201):
    net = Net(Torchvision(f"densenet{depth}"), LAYERS, "features.norm5")
    DENSENET.add(f"densenet-{depth}", f"DenseNet with {depth} layers.", net)
