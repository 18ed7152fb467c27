"""ResNet-50 trained without labels: contrasts, clusters and redundancy reduction."""

from __future__ import annotations

from brainmark.models.sources.libraries import Published, Torchvision
from brainmark.models.zoo import Family, Net

SIMCLR = """@inproceedings{chen2020simclr,
  title = {A simple framework for contrastive learning of visual representations},
  author = {Chen, Ting and Kornblith, Simon and Norouzi, Mohammad and Hinton, Geoffrey},
  booktitle = {International Conference on Machine Learning}, year = {2020}
}
@misc{goyal2021,
  title = {{VISSL}}, author = {Goyal, Priya and Duval, Quentin and Reizenstein, Jeremy and Leavitt, Matthew and others},
  year = {2021}, howpublished = {https://github.com/facebookresearch/vissl}
}"""
MOCO_V2 = """@misc{chen2020moco,
  title = {Improved baselines with momentum contrastive learning},
  author = {Chen, Xinlei and Fan, Haoqi and Girshick, Ross and He, Kaiming}, year = {2020}, eprint = {2003.04297}
}"""
MOCO_V3 = """@inproceedings{chen2021moco,
  title = {An empirical study of training self-supervised vision transformers},
  author = {Chen, Xinlei and Xie, Saining and He, Kaiming},
  booktitle = {IEEE International Conference on Computer Vision}, year = {2021}
}"""
SWAV = """@inproceedings{caron2020,
  title = {Unsupervised learning of visual features by contrasting cluster assignments},
  author = {Caron, Mathilde and Misra, Ishan and Mairal, Julien and Goyal, Priya and Bojanowski, Piotr
            and Joulin, Armand},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {33}, year = {2020}
}"""
BARLOW = """@inproceedings{zbontar2021,
  title = {Barlow twins: Self-supervised learning via redundancy reduction},
  author = {Zbontar, Jure and Jing, Li and Misra, Ishan and LeCun, Yann and Deny, St{\\'e}phane},
  booktitle = {International Conference on Machine Learning}, year = {2021}
}"""
VICREG = """@inproceedings{bardes2022,
  title = {{VICReg}: Variance-invariance-covariance regularization for self-supervised learning},
  author = {Bardes, Adrien and Ponce, Jean and LeCun, Yann},
  booktitle = {International Conference on Learning Representations}, year = {2022}
}"""
PLACE = "https://dl.fbaipublicfiles.com/"
VISSL = f"{PLACE}vissl/model_zoo/simclr_rn50_1000ep_simclr_8node_resnet_16_07_20.afe428c7/"
MOMENTUM = f"{PLACE}moco/moco_checkpoints/moco_v2_800ep/"
TWINS = f"{PLACE}barlowtwins/ep1000_bs2048_lrw0.2_lrb0.0048_lambd0.0051/"
STATE = ("state_dict",)
STAGES = ("layer1", "layer2", "layer3", "layer4")

#       name: (summary, licence, citation, file, keys inside it, what the names of weights begin with)
MODELS = {
    "resnet-50_simclr": (
        "ResNet-50, SimCLR, 1000 epochs (VISSL).", "MIT", SIMCLR, f"{VISSL}model_final_checkpoint_phase999.torch",
        ("classy_state_dict", "base_model", "model", "trunk"), "_feature_blocks.",
    ),
    "resnet-50_moco-v2": (
        "ResNet-50, MoCo v2, 800 epochs.", "CC-BY-NC-4.0", MOCO_V2,
        f"{MOMENTUM}moco_v2_800ep_pretrain.pth.tar", STATE, "module.encoder_q.",
    ),
    "resnet-50_moco-v3": (
        "ResNet-50, MoCo v3, 1000 epochs.", "CC-BY-NC-4.0", MOCO_V3,
        f"{PLACE}moco-v3/r-50-1000ep/r-50-1000ep.pth.tar", STATE, "module.base_encoder.",
    ),
    "resnet-50_swav": (
        "ResNet-50, SwAV, 800 epochs.", "CC-BY-NC-4.0", SWAV,
        f"{PLACE}deepcluster/swav_800ep_pretrain.pth.tar", (), "module.",
    ),
    "resnet-50_barlow-twins": (
        "ResNet-50, Barlow twins, 1000 epochs.", "MIT", BARLOW, f"{TWINS}resnet50.pth", (), "",
    ),
    "resnet-50_vicreg": (
        "ResNet-50, VICReg, 1000 epochs.", "CC-BY-NC-4.0", VICREG, f"{PLACE}vicreg/resnet50.pth", (), "",
    ),
}  # fmt: skip

for name, (summary, licence, cite, url, inside, prefix) in MODELS.items():
    net = Net(
        Published(Torchvision("resnet50"), url, inside=inside, prefix=prefix, headless="fc"),
        STAGES,
        "avgpool",
        imagenet=False,
    )
    Family("resnet", __name__, licence, cite, ("self-supervised",)).add(name, summary, net)
