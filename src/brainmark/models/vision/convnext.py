"""ConvNeXt: a convolutional network with the habits of transformers."""

from __future__ import annotations

from brainmark.models.sources.libraries import Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@inproceedings{liu2022,
  title = {A {ConvNet} for the 2020s},
  author = {Liu, Zhuang and Mao, Hanzi and Wu, Chao-Yuan and Feichtenhofer, Christoph and Darrell, Trevor
            and Xie, Saining},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2022}, pages = {11976--11986}
}"""
STAGES = ("features.1", "features.3", "features.5", "features.7")

CONVNEXT = Family("convnext", __name__, "BSD-3-Clause", CITE)
for size in ("tiny", "small", "base", "large"):
    CONVNEXT.add(f"convnext_{size}", f"ConvNeXt ({size}).", Net(Torchvision(f"convnext_{size}"), STAGES, "avgpool"))
