"""Registries: what they accept, refuse, and say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from brainmark.core import InvalidRegistration, ModelCard, Registry, UnknownName
from brainmark.core.errors import suggest
from brainmark.core.registry import Entry


@pytest.fixture
def toys(registries, make_card) -> Registry:
    own = registries["model"]

    @own.add("Alpha", card=make_card("model"))
    def alpha(depth: int = 3, wide: bool = False):
        return ("alpha", depth, wide)

    @own.add("beta", card=make_card("model"))
    def beta():
        return ("beta",)

    return own


def test_a_registry_is_a_dictionary_sorted_by_name_whatever_the_case(toys):
    assert list(toys) == ["Alpha", "beta"]
    assert len(toys) == 2
    assert "beta" in toys
    assert "gamma" not in toys
    assert [e.name for e in toys.entries()] == list(toys)


def test_an_entry_knows_its_kind_module_card_and_options(toys):
    entry = toys["Alpha"]
    assert (entry.kind, entry.name, entry.module) == ("model", "Alpha", __name__)
    assert isinstance(entry.card, ModelCard)
    assert entry.options == {"depth": 3, "wide": False}


def test_loading_calls_the_factory_with_its_options(toys):
    assert toys["Alpha"].load() == ("alpha", 3, False)
    assert toys["Alpha"].load(depth=5) == ("alpha", 5, False)


def test_registering_calls_nothing_and_returns_the_function(toys, make_card):
    def never():
        raise AssertionError("called")

    assert toys.add("never", card=make_card("model"))(never) is never
    assert "never" in toys


def test_unknown_names_offer_the_nearest(toys):
    with pytest.raises(UnknownName) as error:
        toys["alhpa"]
    assert str(error.value) == "unknown model 'alhpa'; did you mean 'Alpha'? ('brainmark list models' shows all)"
    assert error.value.suggestions == ("Alpha",)
    assert isinstance(error.value, LookupError)


def test_names_like_nothing_get_no_offer(toys):
    with pytest.raises(UnknownName) as error:
        toys["zzzzzz"]
    assert str(error.value) == "unknown model 'zzzzzz' ('brainmark list models' shows all)"


def test_unknown_options_offer_the_nearest_and_list_all(toys):
    with pytest.raises(UnknownName) as error:
        toys["Alpha"].load(deptth=3)
    expected = "unknown option of model 'Alpha' 'deptth'; did you mean 'depth'? (options: depth, wide)"
    assert str(error.value) == expected
    with pytest.raises(UnknownName, match=r"unknown option of model 'beta' 'depth' \(it takes no options\)"):
        toys["beta"].load(depth=3)


@pytest.mark.parametrize(
    ("wanted", "known", "expected"),
    [
        ("majajhong2015.it", ["MajajHong2015public.IT-pls", "Cowley2023.V4-pls"], ("MajajHong2015public.IT-pls",)),
        ("V4", ["Cowley2023.V4-pls"], ()),  # two letters are inside too many names
        ("v4-", ["Cowley2023.V4-pls", "Other.V1-pls"], ("Cowley2023.V4-pls",)),
        ("pixel", ["pixels", "voxels", "PIXEL2"], ("pixels", "PIXEL2")),
        ("a", [], ()),
    ],
)
def test_suggestions(wanted, known, expected):
    assert suggest(wanted, known) == expected


@pytest.mark.parametrize("name", ["", " a", "a ", "a b", "a\tb", "a'b", 'a"b', "a\\b", "a\n"])
def test_refused_names(name, registries, make_card):
    with pytest.raises(InvalidRegistration, match="a name must not contain white space, quotes or backslashes"):
        registries["model"].add(name, card=make_card("model"))(lambda: None)
    assert len(registries["model"]) == 0


def positional(a, b=1): ...
def several(*names): ...
def anything(**options): ...


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (positional, r"model 'toy' \(.*positional\): option 'a' has no default"),
        (several, r"takes \*names; name every option instead"),
        (anything, r"takes \*\*options; name every option instead"),
    ],
)
def test_refused_factories(factory, message, registries, make_card):
    with pytest.raises(InvalidRegistration, match=message):
        registries["model"].add("toy", card=make_card("model"))(factory)
    assert len(registries["model"]) == 0


def test_a_card_of_another_kind_is_refused(registries, make_card):
    with pytest.raises(InvalidRegistration, match="card is a MetricCard, not ModelCard"):
        registries["model"].add("toy", card=make_card("metric"))(lambda: None)


def test_a_taken_name_is_refused_and_the_first_stays(toys, make_card):
    with pytest.raises(InvalidRegistration, match=r"'beta' .*: the name is taken by .*beta; choose another"):
        toys.add("beta", card=make_card("model"))(lambda: None)
    assert toys["beta"].load() == ("beta",)


def test_the_same_registration_may_be_made_again(toys):
    """A module that is loaded anew registers all its names once more."""
    entry = toys["beta"]
    toys.add("beta", card=entry.card)(entry.factory)
    assert toys["beta"].factory is entry.factory


def test_a_loop_that_registers_one_name_twice_is_refused(toys, make_card):
    with pytest.raises(InvalidRegistration, match="the name is taken by"):
        toys.add("beta", card=make_card("model", summary="the next one"))(toys["beta"].factory)


def test_a_notebook_may_register_a_changed_card_again(toys, make_card, monkeypatch):
    def mine():
        return None

    monkeypatch.setattr(mine, "__module__", "__main__")
    for summary in ("first try", "second try"):
        toys.add("mine", card=make_card("model", summary=summary))(mine)
    assert toys["mine"].card.summary == "second try"


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("model", {"colour": "red"}, "unknown field .colour. .fields: summary, licence, "),
        ("model", {"licens": "MIT"}, "ModelCard: unknown field .licens.; did you mean .licence."),
        ("model", {"domain": "visoin"}, "unknown domain .visoin.; did you mean .vision."),
        ("model", {"licence": ""}, "licence: .*at least 1 character"),
        ("model", {"licence": " MIT"}, "licence: .*should match pattern"),
        ("model", {"degrees": 0}, "degrees: .*greater than 0"),
        ("model", {"cite": "Doe (2001)"}, "not a BibTeX entry like"),
        ("model", {"cite": "@misc{a, title={b}"}, "not a BibTeX entry like"),
        ("model", {"cite": "@misc{a, year={2001}}"}, "names neither author nor title"),
        ("dataset", {"simulated": False}, "names at least one source"),
        ("dataset", {"species": ()}, "species: .*at least 1 item"),
        ("dataset", {"sources": ({"url": "https://a/b", "sha256": "abc", "size": 1},)}, "sha256: .*match pattern"),
        ("dataset", {"sources": ({"url": "https://a/b", "sha256": "0" * 64, "size": -1},)}, "size: .*greater than or"),
        ("metric", {"compares": "sounds"}, "unknown kind of comparison .sounds.; known are recordings, series"),
        ("benchmark", {"datasets": ()}, "datasets: .*at least 1 item"),
        ("benchmark", {"tree": "own tree"}, "tree: .*pattern"),
    ],
)
def test_cards_refuse_what_they_cannot_use(kind, changes, message, make_card):
    with pytest.raises(InvalidRegistration, match=message) as error:
        make_card(kind, **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["model", "dataset", "metric", "benchmark"])
@pytest.mark.parametrize("field", ["summary", "licence", "cite"])
def test_cards_miss_nothing(kind, field, make_card):
    whole = make_card(kind).model_dump()
    del whole[field]
    with pytest.raises(InvalidRegistration, match=f"Card: field '{field}' is missing"):
        type(make_card(kind))(**whole)


def test_cards_are_frozen_and_hashable(make_card):
    card = make_card("model")
    with pytest.raises(ValidationError, match="frozen"):
        card.licence = "GPL"
    assert hash(card) == hash(make_card("model"))


def test_finders_are_asked_for_names_that_are_not_registered(toys, make_card):
    entry = Entry("model", "shop/one", lambda: "made", make_card("model"))
    toys.add_finder(lambda name: entry if name == "shop/one" else None)
    assert toys["shop/one"].load() == "made"
    assert list(toys) == ["Alpha", "beta"]
    with pytest.raises(UnknownName):
        toys["shop/two"]
