"""Vision transformers, trained on ImageNet-21k and then on ImageNet."""

from __future__ import annotations

from brainmark.models.sources.libraries import Timm
from brainmark.models.zoo import CENTRED, Family, Net

CITE = """@inproceedings{dosovitskiy2021,
  title = {An image is worth 16x16 words: Transformers for image recognition at scale},
  author = {Dosovitskiy, Alexey and Beyer, Lucas and Kolesnikov, Alexander and Weissenborn, Dirk and Zhai, Xiaohua and
            Unterthiner, Thomas and Dehghani, Mostafa and Minderer, Matthias and Heigold, Georg and Gelly, Sylvain and
            Uszkoreit, Jakob and Houlsby, Neil},
  booktitle = {International Conference on Learning Representations}, year = {2021}
}
@article{steiner2022,
  title = {How to train your {ViT}? {D}ata, augmentation, and regularization in vision transformers},
  author = {Steiner, Andreas and Kolesnikov, Alexander and Zhai, Xiaohua and Wightman, Ross and Uszkoreit, Jakob
            and Beyer, Lucas}, journal = {Transactions on Machine Learning Research}, year = {2022}
}"""
BLOCKS = {"tiny_patch16": 12, "small_patch16": 12, "base_patch16": 12, "base_patch32": 12, "large_patch16": 24}

VIT = Family("vit", __name__, "Apache-2.0", CITE, ("transformer",))
for kind, blocks in BLOCKS.items():
    v1, v2, v4 = (f"blocks.{blocks * part // 12 - 1}" for part in (2, 4, 8))
    net = Net(Timm(f"vit_{kind}_224.augreg_in21k_ft_in1k"), (v1, v2, v4, "norm"), "head_drop", channels=CENTRED)
    VIT.add(f"vit_{kind}_224", f"Vision transformer ({kind.replace('_patch', ', patches of ')} pixels).", net)
