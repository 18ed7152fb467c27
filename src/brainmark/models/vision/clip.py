"""CLIP: the image towers of networks trained to match images with their captions."""

from __future__ import annotations

from brainmark.models.sources.libraries import Timm, Transformers
from brainmark.models.zoo import Family, Net, Pair

CITE = """@inproceedings{radford2021,
  title = {Learning transferable visual models from natural language supervision},
  author = {Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and Agarwal,
            Sandhini and Sastry, Girish and Askell, Amanda and Mishkin, Pamela and Clark, Jack and Krueger, Gretchen
            and Sutskever, Ilya},
  booktitle = {International Conference on Machine Learning}, year = {2021}
}"""
CHANNELS: tuple[Pair, Pair] = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TOWERS = {  # name: (on the hub, patch, width, blocks)
    "vit-b-32": ("base-patch32", 32, 768, 12),
    "vit-b-16": ("base-patch16", 16, 768, 12),
    "vit-l-14": ("large-patch14", 14, 1024, 24),
}

CLIP = Family("clip", __name__, "MIT", CITE, ("image-text",))
for name, (hub, patch, width, blocks) in TOWERS.items():
    source = Transformers(
        "CLIPVisionModel",
        f"openai/clip-vit-{hub}",
        {
            "patch_size": patch,
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_attention_heads": width // 64,
            "num_hidden_layers": blocks,
        },
        "pooler_output",
    )
    v1, v2, v4, it = (f"encoder.layers.{blocks * part // 12 - 1}" for part in (2, 4, 8, 12))
    net = Net(source, (v1, v2, v4, it), "output", imagenet=False, channels=CHANNELS)
    CLIP.add(f"clip_{name}", f"Vision transformer ({name}) of CLIP.", net, ("transformer",))
CLIP.add(
    "clip_resnet50",
    "ResNet-50 of CLIP, with attention in place of its last pooling.",
    Net(
        Timm("resnet50_clip.openai"),
        ("stages.0", "stages.1", "stages.2", "stages.3"),
        "output",
        imagenet=False,
        channels=CHANNELS,
    ),
)
