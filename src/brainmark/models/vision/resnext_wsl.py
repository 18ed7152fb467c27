"""ResNeXt-101 trained on 940 million images with the hashtags of a social network, then on ImageNet."""

from __future__ import annotations

from functools import partial

from brainmark.core.libraries import nn
from brainmark.models.sources.libraries import Built, Published
from brainmark.models.sources.torch_libraries import torchvision
from brainmark.models.zoo import Family, Net

CITE = """@inproceedings{mahajan2018,
  title = {Exploring the limits of weakly supervised pretraining},
  author = {Mahajan, Dhruv and Girshick, Ross and Ramanathan, Vignesh and He, Kaiming and Paluri, Manohar and Li, Yixuan
            and Bharambe, Ashwin and van der Maaten, Laurens},
  booktitle = {European Conference on Computer Vision}, year = {2018}, pages = {181--196}
}"""
HASHES = {8: "c38310e5", 16: "c6f796b0", 32: "e4b90b00", 48: "3e41cc8a"}  # width: first digits of the weights' sha256
STAGES = ("layer1", "layer2", "layer3", "layer4")


def _resnext101(width: int) -> nn.Module:
    """Return torchvision's ResNet in the widths that it has no name for."""
    resnet = torchvision().models.resnet
    return resnet.ResNet(resnet.Bottleneck, [3, 4, 23, 3], groups=32, width_per_group=width)


RESNEXT = Family("resnext", __name__, "CC-BY-NC-4.0", CITE, ("weakly-supervised",))
for width, digits in HASHES.items():
    url = f"https://download.pytorch.org/models/ig_resnext101_32x{width}-{digits}.pth"
    net = Net(Published(Built(partial(_resnext101, width)), url, digits), STAGES, "avgpool")
    RESNEXT.add(f"resnext101_32x{width}d_wsl", f"ResNeXt-101, 32 groups of {width}, weakly supervised.", net)
