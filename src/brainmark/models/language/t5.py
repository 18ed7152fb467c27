"""T5: the encoder of a transformer that turns texts into texts."""

from __future__ import annotations

from brainmark.models.text_zoo import TextNet, block
from brainmark.models.zoo import Family

T5_2020 = """@article{raffel2020,
  title = {Exploring the limits of transfer learning with a unified text-to-text transformer},
  author = {Raffel, Colin and Shazeer, Noam and Roberts, Adam and Lee, Katherine and Narang, Sharan and others},
  journal = {Journal of Machine Learning Research}, volume = {21}, number = {140}, year = {2020}
}"""

T5 = Family("t5", __name__, "Apache-2.0", T5_2020, ("transformer", "encoder"))
for name, blocks in {"t5-small": 6, "t5-base": 12, "t5-large": 24}.items():
    net = TextNet(f"google-t5/{name}", block("block.{}", blocks))
    T5.add(name, f"Encoder of T5, {blocks} blocks.", net)
