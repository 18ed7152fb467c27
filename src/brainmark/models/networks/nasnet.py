"""NASNet-A mobile (4 @ 1056), assembled from the cells of timm, which has the large one (6 @ 4032).

Zoph, Vasudevan, Shlens & Le 2018, Learning transferable architectures for scalable image recognition, CVPR.
"""

from __future__ import annotations

from torch import Tensor, nn

from brainmark.models.sources import torch_libraries

STAGES = (
    (0, 1, 2, 3),
    (6, 7, 8, 9),
    (12, 13, 14, 15),
)  # timm's numbers of the cells; a reduction follows the first two


class NASNetMobile(nn.Module):
    """Four normal cells to a stage instead of six; layers are named as in timm's ``nasnetalarge``.

    Each cell sees the last two feature maps, and so does a reduction.
    """

    def __init__(self) -> None:
        super().__init__()
        large = torch_libraries.timm().create_model("nasnetalarge", stem_size=32, num_features=1056)
        unused = {f"cell_{i}" for i in range(18)} - {f"cell_{i}" for stage in STAGES for i in stage}
        for name, layer in large.named_children():
            if name not in unused:
                self.add_module(name, layer)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (stimuli, 1000)."""
        first = self.get_submodule("conv0")(images)
        before = self.get_submodule("cell_stem_0")(first)
        last = self.get_submodule("cell_stem_1")(first, before)
        for number, stage in enumerate(STAGES):
            for cell in stage:
                before, last = last, self.get_submodule(f"cell_{cell}")(last, before)
            if number < len(STAGES) - 1:
                before, last = last, self.get_submodule(f"reduction_cell_{number}")(last, before)
        for name in ("act", "global_pool", "head_drop", "last_linear"):
            last = self.get_submodule(name)(last)
        return last
