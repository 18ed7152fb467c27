from brainmark.core import ModelCard, models

CITE = "@misc{toy, title = {Toy brains}, author = {Example, Ada}, year = {2026}}"
CARD = ModelCard(summary="Random filters, rectified and pooled.", licence="MIT", cite=CITE, domain="vision",
                 family="toy", regions=("V1", "IT"), degrees=8)  # fmt: skip


@models.add("toy-filters", card=CARD)
def toy_filters():
    import torch

    from brainmark import VisionSubject

    filters = torch.nn.Conv2d(3, 16, 9, stride=4, bias=False)
    torch.nn.init.normal_(filters.weight, generator=torch.Generator().manual_seed(0))
    network = torch.nn.Sequential(filters, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(3))
    return VisionSubject("toy-filters", network, regions={"V1": "1", "IT": "2"}, degrees=8, size=64)
