"""ResNets: v1 as first published, and v2, whose blocks normalise and rectify before they convolve."""

from __future__ import annotations

from brainmark.models.sources.libraries import Timm, Torchvision
from brainmark.models.zoo import CENTRED, Family, Net

V1 = """@inproceedings{he2016,
  title = {Deep residual learning for image recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2016}, pages = {770--778}
}"""
V2 = """@inproceedings{he2016identity,
  title = {Identity mappings in deep residual networks},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {European Conference on Computer Vision}, year = {2016}, pages = {630--645}
}"""
TIMM = """@misc{wightman2021,
  title = {{ResNet} strikes back: An improved training procedure in timm},
  author = {Wightman, Ross and Touvron, Hugo and J{\\'e}gou, Herv{\\'e}}, year = {2021}, eprint = {2110.00476}
}"""
STAGES = ("layer1", "layer2", "layer3", "layer4")

RESNET = Family("resnet", __name__, "BSD-3-Clause", V1)
for depth, version in ((18, ""), (34, ""), (50, "_v1"), (101, "_v1"), (152, "_v1")):
    net = Net(Torchvision(f"resnet{depth}"), STAGES, "avgpool")
    RESNET.add(f"resnet-{depth}{version}", f"ResNet with {depth} layers.", net)

RESNET_V2 = Family("resnet", __name__, "Apache-2.0", V2)
for depth, weights in ((50, ".a1h_in1k"), (101, ".a1h_in1k"), (152, "")):
    net = Net(
        Timm(f"resnetv2_{depth}{weights}"),
        ("stages.0", "stages.1", "stages.2", "norm"),
        "head.global_pool",
        channels=CENTRED,
    )
    trained = "trained as timm does" if weights else "for which no weights are published in torch's format"
    RESNET_V2.add(f"resnet-{depth}_v2", f"ResNet v2 with {depth} layers, {trained}.", net, cite=TIMM if weights else "")
