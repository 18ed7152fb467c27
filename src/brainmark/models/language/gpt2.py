"""GPT, GPT-2, DistilGPT-2: transformers that predict the next token."""

from __future__ import annotations

from brainmark.models.text_zoo import TextNet, block
from brainmark.models.zoo import Family

GPT_2018 = """@techreport{radford2018,
  title = {Improving language understanding by generative pre-training},
  author = {Radford, Alec and Narasimhan, Karthik and Salimans, Tim and Sutskever, Ilya},
  institution = {OpenAI}, year = {2018}
}"""
GPT_2019 = """@techreport{radford2019,
  title = {Language models are unsupervised multitask learners},
  author = {Radford, Alec and Wu, Jeffrey and Child, Rewon and Luan, David and Amodei, Dario and Sutskever, Ilya},
  institution = {OpenAI}, year = {2019}
}"""
DISTILLED = """@inproceedings{sanh2019,
  title = {{DistilBERT}, a distilled version of {BERT}: smaller, faster, cheaper and lighter},
  author = {Sanh, Victor and Debut, Lysandre and Chaumond, Julien and Wolf, Thomas},
  booktitle = {NeurIPS Workshop on Energy Efficient Machine Learning}, year = {2019}
}"""

# the blocks that brainscore-language 2.3 commits to, so that scores can be compared
GPT = Family("gpt", __name__, "MIT", GPT_2018, ("transformer", "causal"))
GPT.add("openai-gpt", "GPT, 12 blocks.", TextNet("openai-community/openai-gpt", block("transformer.h.{}", 12, 11)))

GPT2 = Family("gpt2", __name__, "MIT", GPT_2019, ("transformer", "causal"))
SIZES = {"gpt2": (12, 11, 124), "gpt2-medium": (24, 22, 355), "gpt2-large": (36, 33, 774), "gpt2-xl": (48, 43, 1558)}
for name, (blocks, number, millions) in SIZES.items():
    net = TextNet(f"openai-community/{name}", block("transformer.h.{}", blocks, number))
    GPT2.add(name, f"GPT-2, {blocks} blocks, {millions} million parameters.", net)

DISTIL = Family("gpt2", __name__, "Apache-2.0", DISTILLED, ("transformer", "causal", "distilled"))
DISTIL.add(
    "distilgpt2",
    "GPT-2 distilled into 6 blocks, 82 million parameters.",
    TextNet("distilbert/distilgpt2", block("transformer.h.{}", 6, 5)),
)
