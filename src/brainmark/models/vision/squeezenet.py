"""SqueezeNet: AlexNet's accuracy with fifty times fewer parameters."""

from __future__ import annotations

from brainmark.models.sources.libraries import Torchvision
from brainmark.models.zoo import Family, Net

CITE = """@misc{iandola2016,
  title = {{SqueezeNet}: {AlexNet}-level accuracy with 50x fewer parameters and <0.5{MB} model size},
  author = {Iandola, Forrest N. and Han, Song and Moskewicz, Matthew W. and Ashraf, Khalid and Dally, William J.
            and Keutzer, Kurt}, year = {2016}, eprint = {1602.07360}
}"""
LAYERS = {"1_0": (2, 5, 9, 12), "1_1": (2, 5, 9, 12)}

SQUEEZENET = Family("squeezenet", __name__, "BSD-3-Clause", CITE)
for version, (v1, v2, v4, it) in LAYERS.items():
    layers = (f"features.{v1}", f"features.{v2}", f"features.{v4}", f"features.{it}")
    net = Net(Torchvision(f"squeezenet{version}"), layers, "classifier.3")
    SQUEEZENET.add(f"squeezenet{version}", f"SqueezeNet {version.replace('_', '.')}.", net)
