"""EfficientNet: depth, width and resolution grow together."""

from __future__ import annotations

from brainmark.models.sources.libraries import Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@inproceedings{tan2019,
  title = {{EfficientNet}: Rethinking model scaling for convolutional neural networks},
  author = {Tan, Mingxing and Le, Quoc V.},
  booktitle = {International Conference on Machine Learning}, year = {2019}, pages = {6105--6114}
}"""
SIZES = (224, 240, 288, 300, 380, 456, 528, 600)
LAYERS = ("features.2", "features.3", "features.5", "features.8")

EFFICIENTNET = Family("efficientnet", __name__, "BSD-3-Clause; weights Apache-2.0", CITE)
for number, size in enumerate(SIZES):
    net = Net(Torchvision(f"efficientnet_b{number}"), LAYERS, "avgpool", size=size)
    EFFICIENTNET.add(f"efficientnet-b{number}", f"EfficientNet B{number} for images of {size} pixels.", net)
