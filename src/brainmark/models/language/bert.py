"""BERT and its kin: transformers that see both sides of a word that is hidden from them."""

from __future__ import annotations

from brainmark.models.text_zoo import TextNet, block
from brainmark.models.zoo import Family

BERT_2019 = """@inproceedings{devlin2019,
  title = {{BERT}: Pre-training of deep bidirectional transformers for language understanding},
  author = {Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina},
  booktitle = {NAACL-HLT}, year = {2019}, pages = {4171--4186}
}"""
ROBERTA_2019 = """@article{liu2019,
  title = {{RoBERTa}: A robustly optimized {BERT} pretraining approach},
  author = {Liu, Yinhan and Ott, Myle and Goyal, Naman and Du, Jingfei and Joshi, Mandar and Chen, Danqi and others},
  journal = {arXiv:1907.11692}, year = {2019}
}"""
ALBERT_2020 = """@inproceedings{lan2020,
  title = {{ALBERT}: A lite {BERT} for self-supervised learning of language representations},
  author = {Lan, Zhenzhong and Chen, Mingda and Goodman, Sebastian and Gimpel, Kevin and Sharma, Piyush
            and Soricut, Radu},
  booktitle = {International Conference on Learning Representations}, year = {2020}
}"""
DISTILBERT_2019 = """@inproceedings{sanh2019bert,
  title = {{DistilBERT}, a distilled version of {BERT}: smaller, faster, cheaper and lighter},
  author = {Sanh, Victor and Debut, Lysandre and Chaumond, Julien and Wolf, Thomas},
  booktitle = {NeurIPS Workshop on Energy Efficient Machine Learning}, year = {2019}
}"""
TAGS = ("transformer", "masked")

BERT = Family("bert", __name__, "Apache-2.0", BERT_2019, TAGS)
for name, blocks in {"bert-base-uncased": 12, "bert-base-cased": 12, "bert-large-uncased": 24}.items():
    net = TextNet(f"google-bert/{name}", block("bert.encoder.layer.{}", blocks))
    BERT.add(name, f"BERT, {blocks} blocks, {name.rsplit('-', 1)[-1]}.", net)

ROBERTA = Family("roberta", __name__, "MIT", ROBERTA_2019, TAGS)
for name, blocks in {"roberta-base": 12, "roberta-large": 24}.items():
    net = TextNet(f"FacebookAI/{name}", block("roberta.encoder.layer.{}", blocks))
    ROBERTA.add(name, f"RoBERTa, {blocks} blocks.", net)

DISTILBERT = Family("bert", __name__, "Apache-2.0", DISTILBERT_2019, (*TAGS, "distilled"))
DISTILBERT.add(
    "distilbert-base-uncased",
    "BERT distilled into 6 blocks.",
    TextNet("distilbert/distilbert-base-uncased", block("distilbert.transformer.layer.{}", 6)),
)

ALBERT = Family("albert", __name__, "Apache-2.0", ALBERT_2020, TAGS)
# one block runs 12 times: its calls are counted
ALBERT.add(
    "albert-base-v2",
    "ALBERT, one block that runs 12 times.",
    TextNet("albert/albert-base-v2", block("albert.encoder.albert_layer_groups.0.albert_layers.0@{}", 12)),
)
