"""Training of small language models: steps through a text, checkpoints at steps that double, and going on.

Which rows a step sees depends on seed, epoch and step alone, so that the state to be kept is that of weights and
optimiser. A run that is killed at any moment goes on from its last state (at most `SAVE_AFTER` seconds old) and ends,
on the same machine with the same number of threads, with the same weights to the last bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from brainmark.core.errors import DataError
from brainmark.data.writing import write_whole
from brainmark.models.networks.seeds import seeded
from brainmark.models.sources.torch_libraries import transformers
from brainmark.models.sources.trained_text import CHECKPOINTS, FACTS, TextFacts, weights_of
from brainmark.training.loop import LOG, STATE, check_same_run, generator_of, rate_at
from brainmark.training.text_recipes import HEAD, TextRecipe
from brainmark.training.texts import BEGIN, Paragraphs, chunks, learn_tokenizer, paragraphs_of, stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel

TOKENIZER = "tokenizer.json"
SAVE_AFTER = 30.0  # seconds between states
WATCHED = 32_768  # held-out tokens that the training is watched with

TextWatcher = Callable[["TextRun", int], None]
"""Called with the run and the steps done, after each step; the log has a new row after each checkpoint."""


@dataclass
class TextRun:
    """A training run: what it is, and how far it is.

    Attributes
    ----------
    recipe, seed, threads : what the weights depend on, beside the text.
    folder : of its files.
    steps : of the whole training; 0 before the text is read.
    step : done.
    log : a row for each checkpoint: step, tokens, loss (bits a token on the batches since the last one), held_out (bits
        a character of held-out text), seconds.
    """

    recipe: TextRecipe
    folder: Path
    seed: int = 0
    threads: int = 2
    steps: int = 0
    step: int = 0
    log: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def config(self) -> dict[str, Any]:
        """What two runs must share to be the same run."""
        return {"recipe": self.recipe.to_dict(), "seed": self.seed, "threads": self.threads}

    def checkpoint(self, step: int) -> Path:
        """Folder of the checkpoint of a step."""
        return self.folder / CHECKPOINTS / f"{step:06d}"


def train_text(
    recipe: TextRecipe,
    folder: Path,
    paragraphs: Paragraphs | None = None,
    *,
    seed: int = 0,
    threads: int = 2,
    watch: TextWatcher | None = None,
) -> TextRun:
    """Train, or go on with the run that is in `folder`, and return it.

    Writes ``tokenizer.json``, ``checkpoints/<step>`` (step 0, powers of two, and the last), ``log.json`` and
    ``state.pt`` (what is needed to go on); each is written completely or not at all.

    Parameters
    ----------
    recipe : see `text_recipes`.
    folder : of the run; made if it is not there.
    paragraphs : to train on; None: those of the recipe's texts.
    seed : of weights and order.
    threads : of the arithmetic; sums in another order differ in their last bits.
    watch : called after each step.

    Raises
    ------
    DataError : the texts cannot be had or are too short, or the folder holds another run.
    """
    run = TextRun(recipe, folder, seed, threads)
    state = _state_of(run)
    if state is not None and state["step"] == state["steps"]:
        run.step, run.steps, run.log = state["step"], state["steps"], state["log"]
        return run
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _Training(run, paragraphs or paragraphs_of(recipe.texts), state).go(watch)
    finally:
        torch.set_num_threads(before)
    return run


def checkpoint_steps(steps: int) -> list[int]:
    """Return 0, 1, 2, 4, ... and the last step; a power of two next to the last one is left out."""
    powers = [2**k for k in range(steps.bit_length()) if 2**k < 0.75 * steps]
    return [0, *powers, steps]


class _Training:
    """Network, optimiser and tokens of a run."""

    def __init__(self, run: TextRun, paragraphs: Paragraphs, state: dict[str, Any] | None) -> None:
        self.run = run
        self.tokenizer = _tokenizer(run, paragraphs)
        self.training = stream(self.tokenizer, paragraphs.training)
        self.watched, self.characters = _watched(self.tokenizer, paragraphs.held_out, run.recipe.window)
        rows = (len(self.training) - 1) // run.recipe.window
        self.per_epoch = rows // run.recipe.batch
        if self.per_epoch < 1:
            raise DataError(
                f"recipe {run.recipe.name!r} has batches of {run.recipe.batch} windows of {run.recipe.window} tokens, "
                f"but the text has {len(self.training)} tokens"
            )
        run.steps = self.per_epoch * run.recipe.epochs
        if not (kept := run.folder / TOKENIZER).exists():  # it must be the same when the run goes on
            write_whole(kept, self.tokenizer.to_str().encode())
        with seeded(run.seed):
            self.network = make_gpt(run.recipe, self.tokenizer)
        self.optimiser = _optimiser(self.network, run.recipe)
        self.losses: list[float] = []
        self.text = hashlib.sha256(self.training.numpy().tobytes()).hexdigest()
        if state is not None:
            if state.get("text", self.text) != self.text:
                raise DataError(
                    f"{run.folder}: the run began with another text ({', '.join(run.recipe.texts)}); "
                    "choose another folder, or the text as it was to go on with it"
                )
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.losses = list(state["losses"])
            run.step, run.log = state["step"], state["log"]
        self.order: tuple[int, Tensor] | None = None

    def go(self, watch: TextWatcher | None) -> None:
        """Train to the end."""
        run, kept, begun = self.run, set(checkpoint_steps(self.run.steps)), time.perf_counter()
        saved = begun
        if run.step == 0 and not run.log:
            self._checkpoint(begun)
        while run.step < run.steps:
            self._step()
            run.step += 1
            if run.step in kept:
                begun = self._checkpoint(begun)
            if run.step in kept or time.perf_counter() - saved > SAVE_AFTER:
                self._save()
                saved = time.perf_counter()
            if watch:
                watch(run, run.step)

    def _step(self) -> None:
        recipe, run = self.run.recipe, self.run
        epoch, place = divmod(run.step, self.per_epoch)
        if self.order is None or self.order[0] != epoch:
            generator = generator_of(run.seed, epoch + 1, "text")
            self.order = epoch, chunks(self.training, recipe.window, generator)
        rows = self.order[1][place * recipe.batch : (place + 1) * recipe.batch]
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(recipe, (run.step + 1) / run.steps)
        self.network.train()
        loss = token_loss(self.network, rows)
        if not math.isfinite(loss.item()):
            raise DataError(f"{run.folder}: the loss is {loss.item()} in step {run.step + 1}; lower the rate")
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimiser.step()
        self.losses.append(loss.item() / math.log(2))

    def _held_out(self) -> float:
        """Bits a character of the watched text."""
        self.network.eval()
        with torch.inference_mode():
            bits = [float(token_loss(self.network, rows)) * rows[:, 1:].numel() for rows in self.watched.split(32)]
        return sum(bits) / math.log(2) / self.characters

    def _checkpoint(self, begun: float) -> float:
        """Write the checkpoint of this step and a row of the log; the time at its end."""
        run = self.run
        tokens = run.step * run.recipe.batch * run.recipe.window
        row: dict[str, float] = {"step": run.step, "tokens": tokens, "held_out": self._held_out()}
        if self.losses:
            row["loss"] = sum(self.losses) / len(self.losses)
        self.losses = []
        facts = TextFacts(run.recipe.to_dict(), run.seed, run.threads, run.step, run.steps, tokens, dict(row))
        save_checkpoint(run.checkpoint(run.step), self.network, self.tokenizer, facts)
        run.log.append({**row, "seconds": round(time.perf_counter() - begun, 2)})
        write_whole(
            run.folder / LOG, json.dumps({**run.config(), "steps": run.steps, "log": run.log}, indent=1).encode()
        )
        return time.perf_counter()

    def _save(self) -> None:
        run, buffer = self.run, io.BytesIO()
        torch.save(
            {
                "config": json.dumps(run.config(), sort_keys=True),
                "step": run.step,
                "steps": run.steps,
                "log": run.log,
                "losses": self.losses,
                "text": self.text,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            buffer,
        )
        write_whole(run.folder / STATE, buffer.getvalue())


def make_gpt(recipe: TextRecipe, tokenizer: Tokenizer) -> GPT2LMHeadModel:
    """Return the network of a recipe (GPT-2's design, Radford et al. 2019, without dropout), weights as drawn."""
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


def token_loss(network: GPT2LMHeadModel, rows: Tensor) -> Tensor:
    """Mean cross-entropy (nats) of tokens 1, 2, ... of each row (rows, window + 1), given those before."""
    logits = network(rows[:, :-1], use_cache=False).logits
    return functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def save_checkpoint(folder: Path, network: GPT2LMHeadModel, tokenizer: Tokenizer, facts: TextFacts) -> None:
    """Write a folder that transformers can load, and `facts`, completely or not at all."""
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        network.config.architectures = [type(network).__name__]
        network.config.dtype = torch.float32  # what half precision is to be read into
        network.config.save_pretrained(part)
        (part / "model.safetensors").write_bytes(weights_of(network))
        transformers().PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            bos_token=BEGIN,
            eos_token=BEGIN,
            model_max_length=int(network.config.n_positions),
            clean_up_tokenization_spaces=False,
        ).save_pretrained(part)
        (part / FACTS).write_text(facts.to_json() + "\n", encoding="utf-8")
        if folder.exists():  # of a run that was killed before its state was kept; it has the same content
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _tokenizer(run: TextRun, paragraphs: Paragraphs) -> Tokenizer:
    """The tokenizer of the run, or one that is learnt from the text if the run has not begun."""
    from tokenizers import Tokenizer

    path = run.folder / TOKENIZER
    if path.exists():
        return Tokenizer.from_file(str(path))
    return Tokenizer.from_str(learn_tokenizer(paragraphs.training, run.recipe.vocabulary).to_str())


def _watched(tokenizer: Tokenizer, held_out: Sequence[str], window: int) -> tuple[Tensor, int]:
    """Rows of held-out text, evenly taken, and how many characters their predicted tokens spell."""
    tokens = stream(tokenizer, held_out)
    rows = chunks(tokens, min(window, len(tokens) - 1))
    count = max(1, min(len(rows), WATCHED // window))
    rows = rows[torch.linspace(0, len(rows) - 1, count).long()]
    spelled = tokenizer.decode_batch([row.tolist() for row in rows[:, 1:]], skip_special_tokens=True)
    return rows, max(1, sum(map(len, spelled)))


def _optimiser(network: GPT2LMHeadModel, recipe: TextRecipe) -> torch.optim.Optimizer:
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.95))


def _state_of(run: TextRun) -> dict[str, Any] | None:
    """The state in the folder of the run, if there is one.

    Raises
    ------
    DataError : it is damaged, or of another run.
    """
    path = run.folder / STATE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        config = json.loads(state["config"])
    except Exception as error:
        raise DataError(f"{path}: is not the state of a run, or damaged; remove it to start anew") from error
    check_same_run(run.folder, config, run.config())
    return state


__all__ = ["TextRun", "checkpoint_steps", "make_gpt", "save_checkpoint", "token_loss", "train_text"]
