"""Training of small language models: a GPT learns from windows of text and predicts each next token."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Generator, Tensor
from torch.nn import functional

from brainmark.core.errors import DataError
from brainmark.data.writing import write_whole
from brainmark.models.networks.seeds import draw_from
from brainmark.models.sources.checkpoint import CHECKPOINTS, FACTS, TextFacts, to_bytes
from brainmark.models.sources.torch_libraries import transformers
from brainmark.training.recipes import HEAD, TextRecipe
from brainmark.training.task import Task, parameter_groups
from brainmark.training.texts import BEGIN, Paragraphs, chunks, learn_tokenizer, paragraphs_of, stream

TOKENIZER = "tokenizer.json"
WATCHED = 32_768  # held-out tokens that the training is watched with


class NextToken(Task):
    """Training of a GPT on windows of text in random order."""

    stream = "text"

    def __init__(self, recipe: TextRecipe, paragraphs: Paragraphs | None, seed: int, folder: Path) -> None:
        paragraphs = paragraphs or paragraphs_of(recipe.texts)
        self.recipe, self.clip = recipe, recipe.clip
        path = folder / TOKENIZER  # kept with the run, so that it is the same when the run goes on
        if path.exists():
            learnt = path.read_text("utf-8")
        else:
            learnt = learn_tokenizer(paragraphs.training, recipe.vocabulary).to_str()
        self.tokenizer = Tokenizer.from_str(learnt)
        self.tokens = stream(self.tokenizer, paragraphs.training)
        self.watched, self.characters = _watch_rows(self.tokenizer, paragraphs.held_out, recipe.window)
        self.per_epoch = (len(self.tokens) - 1) // recipe.window // recipe.batch
        if self.per_epoch < 1:
            raise DataError(
                f"recipe {recipe.name!r} has batches of {recipe.batch} windows of {recipe.window} tokens, "
                f"but the text has {len(self.tokens)} tokens"
            )
        self.steps = self.per_epoch * recipe.epochs
        if not path.exists():
            write_whole(path, learnt.encode())
        with draw_from(seed):
            self.network = self.module = make_gpt(recipe, self.tokenizer)
        groups = parameter_groups(self.network, recipe.decay)
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.95))
        self.digest = hashlib.sha256(self.tokens.numpy().tobytes()).hexdigest()

    def order(self, generator: Generator) -> Tensor:
        """Draw where windows begin and their order: rows (rows, window + 1)."""
        return chunks(self.tokens, self.recipe.window, generator)

    def loss(self, batch: Tensor, generator: Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss, for the log in bits a token."""
        loss = token_loss(self.network, batch)
        return loss, {"loss": loss.item() / math.log(2)}

    def score_held_out(self) -> float:
        """Return bits a character of held-out text."""
        self.network.eval()
        with torch.inference_mode():
            bits = [float(token_loss(self.network, rows)) * rows[:, 1:].numel() for rows in self.watched.split(32)]
        return sum(bits) / math.log(2) / self.characters

    def checkpoints(self) -> set[int]:
        """Return step 0, the steps that double, and the last."""
        return set(doubling_steps(self.steps))

    def progress(self, step: int) -> dict[str, float]:
        """Return the steps done, and the tokens read."""
        return {"step": step, "tokens": step * self.recipe.batch * self.recipe.window}

    def save(self, folder: Path, origin: Mapping[str, Any], row: Mapping[str, float]) -> None:
        """Write ``checkpoints/<step>``."""
        step, tokens = int(row["step"]), int(row["tokens"])
        facts = TextFacts(**origin, step=step, steps=self.steps, tokens=tokens, log=dict(row))
        save_checkpoint(folder / CHECKPOINTS / f"{step:06d}", self.network, self.tokenizer, facts)


def doubling_steps(steps: int) -> list[int]:
    """Return 0, 1, 2, 4, ... and the last step; a power of two next to the last one is left out."""
    powers = [2**k for k in range(steps.bit_length()) if 2**k < 0.75 * steps]
    return [0, *powers, steps]


def make_gpt(recipe: TextRecipe, tokenizer: Tokenizer) -> Any:
    """Return the network of a recipe (GPT-2's design, Radford et al. 2019, without dropout) with random weights."""
    library, begin = transformers(), tokenizer.token_to_id(BEGIN)
    return library.GPT2LMHeadModel(
        library.GPT2Config(
            vocab_size=tokenizer.get_vocab_size(),
            n_positions=recipe.window,
            n_embd=recipe.width,
            n_layer=recipe.layers,
            n_head=recipe.width // HEAD,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=begin,
            eos_token_id=begin,
        )
    )


def token_loss(network: Any, rows: Tensor) -> Tensor:
    """Return the mean cross-entropy (nats) of tokens 1, 2, ... of each row (rows, window + 1), given those before."""
    logits = network(rows[:, :-1], use_cache=False).logits
    return functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def save_checkpoint(folder: Path, network: Any, tokenizer: Tokenizer, facts: TextFacts) -> None:
    """Write a folder that transformers can load, and `facts`, completely or not at all."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        network.config.architectures = [type(network).__name__]
        network.config.dtype = torch.float32  # what half precision is to be read into
        network.config.save_pretrained(part)
        (part / "model.safetensors").write_bytes(to_bytes(network))
        transformers().PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            bos_token=BEGIN,
            eos_token=BEGIN,
            model_max_length=int(network.config.n_positions),
            clean_up_tokenization_spaces=False,
        ).save_pretrained(part)
        (part / FACTS).write_text(facts.to_json() + "\n", encoding="utf-8")
        if folder.exists():  # of a run that was killed before its state was written; it has the same content
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _watch_rows(tokenizer: Tokenizer, held_out: Sequence[str], window: int) -> tuple[Tensor, int]:
    """Take rows of held-out text at even distances; count the characters that their predicted tokens spell."""
    tokens = stream(tokenizer, held_out)
    rows = chunks(tokens, min(window, len(tokens) - 1))
    count = max(1, min(len(rows), WATCHED // window))
    rows = rows[torch.linspace(0, len(rows) - 1, count).long()]
    spelled = tokenizer.decode_batch([row.tolist() for row in rows[:, 1:]], skip_special_tokens=True)
    return rows, max(1, sum(map(len, spelled)))
