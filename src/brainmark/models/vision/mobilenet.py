"""MobileNet v1 and v2 with the widths and input sizes of their papers, called as the original study calls them."""

from __future__ import annotations

from brainmark.models.sources.libraries import Transformers
from brainmark.models.zoo import CENTRED, Family, Net

V1 = """@misc{howard2017,
  title = {{MobileNets}: Efficient convolutional neural networks for mobile vision applications},
  author = {Howard, Andrew G. and Zhu, Menglong and Chen, Bo and Kalenichenko, Dmitry and Wang, Weijun
            and Weyand, Tobias and Andreetto, Marco and Adam, Hartwig}, year = {2017}, eprint = {1704.04861}
}"""
V2 = """@inproceedings{sandler2018,
  title = {{MobileNetV2}: Inverted residuals and linear bottlenecks},
  author = {Sandler, Mark and Howard, Andrew and Zhu, Menglong and Zhmoginov, Andrey and Chen, Liang-Chieh},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2018}, pages = {4510--4520}
}"""
ON_THE_HUB = {  # the others are published for TensorFlow only
    "mobilenet_v1_1.0_224", "mobilenet_v1_0.75_192",
    "mobilenet_v2_1.0_224", "mobilenet_v2_1.4_224", "mobilenet_v2_0.75_160", "mobilenet_v2_0.35_96",
}  # fmt: skip
V1_SIZES = dict.fromkeys(("1.0", "0.75", "0.5", "0.25"), ("224", "192", "160", "128"))
V2_SIZES = {
    **dict.fromkeys(("1.0", "0.75", "0.5", "0.35"), ("224", "192", "160", "128", "96")),
    "1.4": ("224",),
    "1.3": ("224",),
}
V1_LAYERS = ("mobilenet_v1.layer.5", "mobilenet_v1.layer.9", "mobilenet_v1.layer.21", "mobilenet_v1.layer.25")
V2_LAYERS = ("mobilenet_v2.layer.1", "mobilenet_v2.layer.4", "mobilenet_v2.layer.11", "mobilenet_v2.conv_1x1")


def _add(version: int, width: str, size: str, layers: tuple[str, str, str, str], cite: str) -> None:
    name = f"mobilenet_v{version}_{width}_{size}"
    source = Transformers(
        f"MobileNetV{version}ForImageClassification",
        f"google/{name}" if name in ON_THE_HUB else None,
        {"depth_multiplier": float(width), "image_size": int(size), "num_labels": 1001},
        skip=1,  # the class "background"
        he=True,
    )
    net = Net(source, layers, f"mobilenet_v{version}.pooler", size=int(size), channels=CENTRED)
    weights = "" if name in ON_THE_HUB else "; its weights are published for TensorFlow only"
    summary = f"MobileNet v{version}, {width} times as wide, for images of {size} pixels{weights}."
    Family("mobilenet", __name__, "Apache-2.0", cite).add(name, summary, net)


for width, sizes in V1_SIZES.items():
    for size in sizes:
        _add(1, width, size, V1_LAYERS, V1)
for width, sizes in V2_SIZES.items():
    for size in sizes:
        _add(2, width, size, V2_LAYERS, V2)
