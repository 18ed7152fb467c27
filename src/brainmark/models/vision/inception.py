"""Inception v1 to v4, Inception-ResNet v2 and Xception."""

from __future__ import annotations

from brainmark.core.libraries import nn, torch
from brainmark.models.sources.libraries import Built, Published, Timm, Torchvision
from brainmark.models.zoo import CENTRED, Family, Net

GOING_DEEPER = """@inproceedings{szegedy2015,
  title = {Going deeper with convolutions},
  author = {Szegedy, Christian and Liu, Wei and Jia, Yangqing and Sermanet, Pierre and Reed, Scott
            and Anguelov, Dragomir and Erhan, Dumitru and Vanhoucke, Vincent and Rabinovich, Andrew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2015}
}"""
BATCH_NORMALIZATION = """@inproceedings{ioffe2015,
  title = {Batch normalization: Accelerating deep network training by reducing internal covariate shift},
  author = {Ioffe, Sergey and Szegedy, Christian},
  booktitle = {International Conference on Machine Learning}, year = {2015}
}"""
RETHINKING = """@inproceedings{szegedy2016,
  title = {Rethinking the {Inception} architecture for computer vision},
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jonathon and Wojna, Zbigniew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2016}
}"""
RESIDUAL = """@inproceedings{szegedy2017,
  title = {{Inception-v4}, {Inception-ResNet} and the impact of residual connections on learning},
  author = {Szegedy, Christian and Ioffe, Sergey and Vanhoucke, Vincent and Alemi, Alexander A.},
  booktitle = {AAAI Conference on Artificial Intelligence}, year = {2017}
}"""
XCEPTION = """@inproceedings{chollet2017,
  title = {Xception: Deep learning with depthwise separable convolutions},
  author = {Chollet, Fran{\\c{c}}ois},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2017}
}"""


def _bn_inception() -> nn.Module:
    from brainmark.models.networks.bn_inception import BNInception

    return BNInception()


def _from_caffe(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    from brainmark.models.networks.bn_inception import from_caffe

    return from_caffe(weights)


Family("inception", __name__, "BSD-3-Clause", GOING_DEEPER).add(
    "inception_v1",
    "GoogLeNet with batch normalisation.",
    Net(
        Torchvision("googlenet", options={"aux_logits": False, "init_weights": True, "transform_input": True}),
        ("maxpool2", "inception3b", "inception4d", "inception5b"),
        "avgpool",
    ),
)
Family("inception", __name__, "MIT (this code); weights BSD-3-Clause", BATCH_NORMALIZATION).add(
    "inception_v2",
    "Inception v2 (BN-Inception), as trained with Caffe.",
    Net(
        Published(
            Built(_bn_inception),
            "http://data.lip6.fr/cadene/pretrainedmodels/bn_inception-52deb4733.pth",
            "52deb4733",
            mend=_from_caffe,
        ),
        ("pool2", "inception_3b", "inception_4d", "inception_5b"),
        "flatten",
        channels=((128 / 255, 117 / 255, 104 / 255), (1 / 255, 1 / 255, 1 / 255)),
    ),
)
Family("inception", __name__, "Apache-2.0", RETHINKING).add(
    "inception_v3",
    "Inception v3, as trained with TensorFlow.",
    Net(
        Timm("inception_v3.tf_in1k"),
        ("Pool2", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
        "head_drop",
        size=299,
        channels=CENTRED,
    ),
)
Family("inception", __name__, "Apache-2.0", RESIDUAL).add(
    "inception_v4",
    "Inception v4, as trained with TensorFlow.",
    Net(
        Timm("inception_v4.tf_in1k"),
        ("features.5", "features.9", "features.17", "features.21"),
        "head_drop",
        size=299,
        channels=CENTRED,
    ),
)
Family("inception", __name__, "Apache-2.0", RESIDUAL).add(
    "inception_resnet_v2",
    "Inception-ResNet v2, as trained with TensorFlow.",
    Net(
        Timm("inception_resnet_v2.tf_in1k"),
        ("maxpool_5a", "repeat", "repeat_1", "conv2d_7b"),
        "head_drop",
        size=299,
        channels=CENTRED,
    ),
)
Family("xception", __name__, "Apache-2.0", XCEPTION).add(
    "xception",
    "Xception: separable convolutions throughout.",
    Net(
        Timm("legacy_xception.tf_in1k"),
        ("block2", "block3", "block8", "act4"),
        "global_pool",
        size=299,
        channels=CENTRED,
    ),
)
