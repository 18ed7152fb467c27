"""Recipes: what cannot be is refused, and what can be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from brainmark.core import InvalidModel
from brainmark.training.recipes import RECIPES, ImageRecipe, TextRecipe
from brainmark.training.texts import CORPORA


@pytest.mark.parametrize("change", [{"epochs": 0}, {"batch": 1}, {"rate": 0.0}, {"warmup": 1.0}])
def test_impossible_recipes_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidModel, match="recipe 'cifar-resnet'"):
        replace(RECIPES["cifar-resnet"], **change)


@pytest.mark.parametrize(
    "wrong", [{"width": 40}, {"width": 0}, {"layers": 0}, {"vocabulary": 100}, {"rate": 0.0}, {"epochs": 0}]
)
def test_recipes_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidModel, match="recipe 'gpt'"):
        replace(RECIPES["gpt"], **wrong)


def test_recipes_use_corpora_that_are_known() -> None:
    texts = {name: recipe.texts for name, recipe in RECIPES.items() if isinstance(recipe, TextRecipe)}
    assert texts.keys() == {"gpt", "tiny-gpt"}
    assert all(set(names) <= set(CORPORA) for names in texts.values())
    assert "brown" not in texts["tiny-gpt"]  # what ships is made of text that may be shared


def test_recipes_are_changed_where_values_are_given() -> None:
    gpt = RECIPES["gpt"].change(layers=3, width=None, texts=("a.txt",))
    assert (gpt.to_dict()["layers"], gpt.to_dict()["texts"]) == (3, ["a.txt"])
    assert gpt.change(texts=()) == gpt
    with pytest.raises(InvalidModel, match="has one size and its own images; layers can be chosen"):
        RECIPES["cifar-resnet"].change(layers=3)


def test_recipes_keep_the_fields_that_checkpoints_hold() -> None:
    common = {"name", "summary", "epochs", "batch", "rate", "warmup", "decay"}
    for recipe in RECIPES.values():
        own = {"network", "objective", "momentum", "temperature"}
        if not isinstance(recipe, ImageRecipe):
            own = {"texts", "vocabulary", "layers", "width", "window", "clip"}
        assert recipe.to_dict().keys() == common | own
