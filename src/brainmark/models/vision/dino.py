"""DINO and DINOv2: self-distillation without labels."""

from __future__ import annotations

from brainmark.models.sources.libraries import Published, Timm, Torchvision, Transformers
from brainmark.models.zoo import Family, Net

V1 = """@inproceedings{caron2021,
  title = {Emerging properties in self-supervised vision transformers},
  author = {Caron, Mathilde and Touvron, Hugo and Misra, Ishan and J{\\'e}gou, Herv{\\'e} and Mairal, Julien and
            Bojanowski, Piotr and Joulin, Armand},
  booktitle = {IEEE International Conference on Computer Vision}, year = {2021}, pages = {9650--9660}
}"""
V2 = """@article{oquab2024,
  title = {{DINOv2}: Learning robust visual features without supervision},
  author = {Oquab, Maxime and Darcet, Timoth{\\'e}e and Moutakanni, Th{\\'e}o and Vo, Huy V.
            and Szafraniec, Marc and others},
  journal = {Transactions on Machine Learning Research}, year = {2024}
}"""
BLOCKS = ("blocks.1", "blocks.3", "blocks.7", "norm")
RESNET = "https://dl.fbaipublicfiles.com/dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth"

DINO = Family("dino", __name__, "Apache-2.0", V1, ("self-supervised",))
for name, network in {"vits16": "small_patch16", "vits8": "small_patch8", "vitb16": "base_patch16"}.items():
    net = Net(Timm(f"vit_{network}_224.dino"), BLOCKS, "head_drop", imagenet=False)
    DINO.add(f"dino_{name}", f"Vision transformer ({network.replace('_', ', ')}), DINO.", net, ("transformer",))
DINO.add(
    "dino_resnet50",
    "ResNet-50, DINO.",
    Net(
        Published(Torchvision("resnet50"), RESNET, headless="fc"),
        ("layer1", "layer2", "layer3", "layer4"),
        "avgpool",
        imagenet=False,
    ),
)

DINO_V2 = Family("dino", __name__, "Apache-2.0", V2, ("self-supervised", "transformer"))
SIZES = {"vits14": ("small", 384, 6, 12), "vitb14": ("base", 768, 12, 12), "vitl14": ("large", 1024, 16, 24)}
for name, (size, width, heads, blocks) in SIZES.items():
    config = {"hidden_size": width, "num_attention_heads": heads, "num_hidden_layers": blocks}
    # the published weights are for images of 518 pixels; positions are interpolated to those of 224
    source = Transformers(
        "Dinov2Model", f"facebook/dinov2-{size}", config | {"image_size": 518, "patch_size": 14}, "pooler_output"
    )
    v1, v2, v4 = (f"encoder.layer.{blocks * part // 12 - 1}" for part in (2, 4, 8))
    net = Net(source, (v1, v2, v4, "layernorm"), "output", imagenet=False)
    DINO_V2.add(f"dinov2_{name}", f"Vision transformer ({size}), DINOv2 on 142 million images.", net)
