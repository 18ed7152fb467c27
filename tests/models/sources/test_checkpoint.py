"""Language models that were trained here, as models: shipped, by path, by step, untrained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainmark.core import (
    Ask,
    DataError,
    Experiment,
    NextWord,
    Prefer,
    Read,
    Record,
    Setting,
    Stimuli,
    check_answer,
    models,
)
from brainmark.models.described.toml_files import ZOO_FILE
from brainmark.models.networks.seeds import draw_from
from brainmark.models.sources.checkpoint import FACTS, TextCheckpoint, TextFacts, checkpoint_at  # fmt: skip
from brainmark.models.sources.torch_libraries import transformers
from brainmark.models.zoo import ZOO
from brainmark.training.language import make_gpt, save_checkpoint
from brainmark.training.recipes import TextRecipe
from brainmark.training.texts import learn_tokenizer

SHIPPED = ZOO_FILE.parent / "weights" / "tiny-gpt"
RECIPE = TextRecipe(name="toy", summary="Toy.", texts=(), vocabulary=280, layers=3, width=32, window=16)
PARTS = ["The", "old", "man", "saw", "a", "longword,", "and", "left."]


def reading(ask: Ask) -> Experiment:
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(8)], "text": PARTS, "story": [0] * 8})
    setting = Setting() if isinstance(ask, Prefer) else Setting(context="story")
    return Experiment(Stimuli("words", "text", table), ask, setting)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two checkpoints of random networks."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    tokenizer = learn_tokenizer(["The old man saw the sea.", "And a man left."], 280)
    for step in (0, 8):
        with draw_from(step):
            network = make_gpt(RECIPE, tokenizer)
        facts = TextFacts(
            recipe=RECIPE.to_dict(), seed=0, threads=1, step=step, steps=8, tokens=step * 64, log={"held_out": 3.0}
        )
        save_checkpoint(folder / "checkpoints" / f"{step:06d}", network, tokenizer, facts)
    return folder


def answer(name: str, ask: Ask) -> np.ndarray:
    experiment = reading(ask)
    return check_answer(models[name].load().perform(experiment), experiment, name).values


def test_checkpoints_are_models_by_path_and_step(run: Path) -> None:
    last, same, first = (
        answer(f"checkpoint:{path}", Read("surprisal")) for path in (run, f"{run}@8", run / "checkpoints" / "000000")
    )
    np.testing.assert_array_equal(last, same)
    assert not np.array_equal(last, first)
    assert np.isfinite(last).all()
    card = models[f"checkpoint:{run}@8"].card
    assert "3 layers of 32 units" in card.summary
    assert "after step 8 of 8: 512 tokens" in card.summary


def test_they_answer_all_that_networks_that_read_answer(run: Path) -> None:
    name = f"checkpoint:{run}"
    assert answer(name, Record("language_system")).shape == (8, 32)
    assert answer(name, Prefer()).shape == (4, 2)
    assert answer(name, NextWord()).shape == (8,)


def test_twins_have_other_weights_and_the_same_design(run: Path) -> None:
    trained_bits = answer(f"checkpoint:{run}", Read("surprisal"))
    one, same, other = (answer(f"checkpoint:{run}:random{seed}", Read("surprisal")) for seed in ("", "=0", "=1"))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, trained_bits)


def test_a_checkpoint_is_known_by_its_content(run: Path, tmp_path: Path) -> None:
    entry = models[f"checkpoint:{run}@8"]
    assert entry.content is not None
    copy = tmp_path / "copy"
    shutil.copytree(run / "checkpoints" / "000008", copy)
    assert TextCheckpoint(copy).content() == entry.content()
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    assert TextCheckpoint(copy).content() != entry.content()


def test_other_programs_read_the_folder(run: Path) -> None:
    folder = checkpoint_at(run).path
    network = transformers().GPT2LMHeadModel.from_pretrained(folder, local_files_only=True)
    assert network.dtype == torch.float32
    ids = torch.tensor([[1, 5, 9]])
    torch.testing.assert_close(network(ids).logits, TextCheckpoint(folder).load_trained()(ids).logits)


def test_a_folder_of_transformers_is_the_same_subject(run: Path) -> None:
    bits = answer(f"hf/{checkpoint_at(run).path}", Read("surprisal"))
    np.testing.assert_allclose(bits, answer(f"checkpoint:{run}", Read("surprisal")), rtol=1e-5)


def test_steps_that_there_are_not(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no checkpoint of step 3 \(steps: 0, 8\)"):
        models[f"checkpoint:{run}@3"]
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(DataError, match="holds no checkpoint of a language model"):
        models[f"checkpoint:{tmp_path}"]
    with pytest.raises(DataError, match="nowhere: no such checkpoint"):
        models[f"checkpoint:{tmp_path / 'nowhere'}"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (FACTS, "{", "is not a description of a checkpoint"),
        (FACTS, json.dumps({"format": "other"}), "is not a description of a checkpoint"),
        ("model.safetensors", "nonsense", "its network cannot be loaded"),
        ("config.json", "nonsense", "its configuration cannot be read"),
        ("tokenizer.json", "nonsense", "its tokenizer cannot be loaded"),
    ],
)
def test_damaged_checkpoints_are_named(name: str, content: str, reason: str, run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run / "checkpoints" / "000008", copy)
    (copy / name).write_text(content)
    with pytest.raises(DataError, match=reason):
        models[f"checkpoint:{copy}"].load().perform(reading(Read("surprisal")))
    (copy / "model.safetensors").unlink()
    with pytest.raises(DataError, match="No such file"):
        TextCheckpoint(copy).content()


def test_what_ships_predicts_english_better_than_its_twin() -> None:
    facts = TextCheckpoint(SHIPPED).history
    assert facts.recipe["texts"] == ["books", "wikitext"]
    assert facts.step == facts.steps
    bits = answer("tiny-gpt", Read("surprisal")).sum()
    assert bits < 0.7 * answer("tiny-gpt:random", Read("surprisal")).sum()


def test_what_ships_is_verified(tmp_path: Path) -> None:
    copy = tmp_path / "tiny-gpt"
    shutil.copytree(SHIPPED, copy)
    shipped = ZOO["tiny-gpt"].source
    assert isinstance(shipped, TextCheckpoint)
    assert shipped.path == SHIPPED and TextCheckpoint(copy, shipped.sha256).load_trained()
    (copy / "config.json").write_text("{}")
    for make in (
        TextCheckpoint(copy, shipped.sha256).load_trained,
        TextCheckpoint(copy, shipped.sha256).build_untrained,
    ):
        with pytest.raises(DataError, match="has other bytes than its sha256 says; give the file that is described"):
            make()
