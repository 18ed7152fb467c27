"""ResNet-50 trained against adversarial perturbations."""

from __future__ import annotations

from brainmark.models.sources.libraries import Published, Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@inproceedings{salman2020,
  title = {Do adversarially robust {ImageNet} models transfer better?},
  author = {Salman, Hadi and Ilyas, Andrew and Engstrom, Logan and Kapoor, Ashish and Madry, Aleksander},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {33}, year = {2020}
}
@misc{engstrom2019,
  title = {Robustness ({Python} library)},
  author = {Engstrom, Logan and Ilyas, Andrew and Salman, Hadi and Santurkar, Shibani and Tsipras, Dimitris},
  year = {2019}, howpublished = {https://github.com/MadryLab/robustness}
}"""
PLACE = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main/"
BUDGETS = {  # name: (norm, its limit, file); the limit of L-infinity is in 255ths
    "resnet-50_robust_l2_eps1": ("L2", "1", "resnet50_l2_eps1.ckpt"),
    "resnet-50_robust_l2_eps3": ("L2", "3", "resnet50_l2_eps3.ckpt"),
    "resnet-50_robust_linf_eps4": ("L-infinity", "4/255", "resnet50_linf_eps4.0.ckpt"),
    "resnet-50_robust_linf_eps8": ("L-infinity", "8/255", "resnet50_linf_eps8.0.ckpt"),
}

ROBUST = Family("resnet", __name__, "MIT", CITE, ("robust",))
for name, (norm, limit, file) in BUDGETS.items():
    net = Net(
        Published(Torchvision("resnet50"), PLACE + file, inside=("model",), prefix="module.model."),
        ("layer1", "layer2", "layer3", "layer4"),
        "avgpool",
    )
    ROBUST.add(name, f"ResNet-50, adversarially trained ({norm} up to {limit}).", net)
