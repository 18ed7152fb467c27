"""NASNet and PNASNet: networks whose cells were found by search."""

from __future__ import annotations

from brainmark.core.libraries import nn
from brainmark.models.sources.libraries import Built, Published, Timm
from brainmark.models.zoo import CENTRED, Family, Net

NASNET = """@inproceedings{zoph2018,
  title = {Learning transferable architectures for scalable image recognition},
  author = {Zoph, Barret and Vasudevan, Vijay and Shlens, Jonathon and Le, Quoc V.},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition}, year = {2018}, pages = {8697--8710}
}"""
PNASNET = """@inproceedings{liu2018,
  title = {Progressive neural architecture search},
  author = {Liu, Chenxi and Zoph, Barret and Neumann, Maxim and Shlens, Jonathon and Hua, Wei and Li, Li-Jia and
            Fei-Fei, Li and Yuille, Alan and Huang, Jonathan and Murphy, Kevin},
  booktitle = {European Conference on Computer Vision}, year = {2018}, pages = {19--34}
}"""


def _mobile() -> nn.Module:
    from brainmark.models.networks.nasnet import NASNetMobile

    return NASNetMobile()


Family("nasnet", __name__, "Apache-2.0", NASNET).add_all(
    {
        "nasnet_large": (
            "NASNet-A (6 @ 4032).",
            Net(
                Timm("nasnetalarge.tf_in1k"),
                ("cell_stem_1", "cell_5", "cell_11", "act"),
                "head_drop",
                size=331,
                channels=CENTRED,
            ),
        ),
        "nasnet_mobile": (
            "NASNet-A (4 @ 1056).",
            Net(
                Published(
                    Built(_mobile),
                    "http://data.lip6.fr/cadene/pretrainedmodels/nasnetamobile-7e03cead.pth",
                    "7e03cead",
                ),
                ("cell_stem_1", "cell_3", "cell_9", "act"),
                "head_drop",
                channels=CENTRED,
            ),
        ),
    }
)
Family("pnasnet", __name__, "Apache-2.0", PNASNET).add(
    "pnasnet_large",
    "PNASNet-5 (large).",
    Net(
        Timm("pnasnet5large.tf_in1k"),
        ("cell_stem_1", "cell_3", "cell_7", "act"),
        "head_drop",
        size=331,
        channels=CENTRED,
    ),
)
