"""Causal transformers whose sizes and checkpoints are published: Pythia, OPT, GPT-Neo, Qwen, TinyLlama."""

from __future__ import annotations

from brainmark.models.text_zoo import TextNet, block
from brainmark.models.zoo import Family

PYTHIA_2023 = """@inproceedings{biderman2023,
  title = {Pythia: A suite for analyzing large language models across training and scaling},
  author = {Biderman, Stella and Schoelkopf, Hailey and Anthony, Quentin and Bradley, Herbie and O'Brien, Kyle
            and others},
  booktitle = {International Conference on Machine Learning}, year = {2023}
}"""
OPT_2022 = """@article{zhang2022,
  title = {{OPT}: Open pre-trained transformer language models},
  author = {Zhang, Susan and Roller, Stephen and Goyal, Naman and Artetxe, Mikel and Chen, Moya and others},
  journal = {arXiv:2205.01068}, year = {2022}
}"""
NEO_2021 = """@software{black2021,
  title = {{GPT-Neo}: Large scale autoregressive language modeling with {Mesh-Tensorflow}},
  author = {Black, Sid and Gao, Leo and Wang, Phil and Leahy, Connor and Biderman, Stella},
  year = {2021}, doi = {10.5281/zenodo.5297715}
}"""
QWEN_2025 = """@article{qwen2025,
  title = {{Qwen3} technical report},
  author = {Yang, An and Li, Anfeng and Yang, Baosong and Zhang, Beichen and Hui, Binyuan and others},
  journal = {arXiv:2505.09388}, year = {2025}
}"""
TINYLLAMA_2024 = """@article{zhang2024,
  title = {{TinyLlama}: An open-source small language model},
  author = {Zhang, Peiyuan and Zeng, Guangtao and Wang, Tianduo and Lu, Wei},
  journal = {arXiv:2401.02385}, year = {2024}
}"""
TAGS = ("transformer", "causal")

PYTHIA = Family("pythia", __name__, "Apache-2.0", PYTHIA_2023, TAGS)
for size, blocks in {"70m": 6, "160m": 12, "410m": 24, "1b": 16, "1.4b": 24, "2.8b": 32}.items():
    net = TextNet(f"EleutherAI/pythia-{size}", block("gpt_neox.layers.{}", blocks))
    PYTHIA.add(f"pythia-{size}", f"Pythia, {blocks} blocks, {size.upper()} parameters.", net)

OPT = Family("opt", __name__, "OPT-175B licence (research only)", OPT_2022, TAGS)
for size, blocks in {"125m": 12, "350m": 24, "1.3b": 24, "2.7b": 32}.items():
    net = TextNet(f"facebook/opt-{size}", block("model.decoder.layers.{}", blocks))
    OPT.add(f"opt-{size}", f"OPT, {blocks} blocks, {size.upper()} parameters.", net)

NEO = Family("gpt-neo", __name__, "MIT", NEO_2021, TAGS)
# the blocks that brainscore-language 2.3 commits to
for size, (blocks, number) in {"125m": (12, 11), "1.3B": (24, 18), "2.7B": (32, 31)}.items():
    net = TextNet(f"EleutherAI/gpt-neo-{size}", block("transformer.h.{}", blocks, number))
    NEO.add(f"gpt-neo-{size.lower()}", f"GPT-Neo, {blocks} blocks, {size.upper()} parameters.", net)

QWEN = Family("qwen", __name__, "Apache-2.0", QWEN_2025, TAGS)
for size, blocks in {"0.6B": 28, "1.7B": 28, "4B": 36}.items():
    net = TextNet(f"Qwen/Qwen3-{size}", block("model.layers.{}", blocks))
    QWEN.add(f"qwen3-{size.lower()}", f"Qwen3, {blocks} blocks, {size} parameters.", net)

TINYLLAMA = Family("llama", __name__, "Apache-2.0", TINYLLAMA_2024, TAGS)
TINYLLAMA.add(
    "tinyllama-1.1b",
    "TinyLlama after chat tuning, 22 blocks, 1.1B parameters.",
    TextNet("TinyLlama/TinyLlama-1.1B-Chat-v1.0", block("model.layers.{}", 22, 21)),
)
