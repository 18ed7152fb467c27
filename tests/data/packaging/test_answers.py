"""Choices and ratings of people."""

from __future__ import annotations

from typing import Any

import numpy as np


def one(problems: tuple[str, ...], *words: str) -> str:
    """The one problem with all of these words."""
    hits = [p for p in problems if all(w in p for w in words)]
    assert len(hits) == 1, problems
    return hits[0]


CHOICES = {"file": "answers.csv", "kind": "choices"}
RATINGS = {"file": "answers.csv", "kind": "ratings", "value": "liking"}


def as_labelled(lab: Any) -> dict[str, Any]:
    lab.table(
        "stimuli.csv", {"stimulus_id": lab.ids, "filename": [f"{i}.png" for i in lab.ids], "label": list("ab" * 6)}
    )
    return {"table": "stimuli.csv", "folder": "images"}


def answers(lab: Any, people: int = 3, trials: int = 1) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    return [
        {
            "stimulus_id": one, "subject": f"p{p}",
            "choice": str(generator.choice(list("abc"))), "liking": float(generator.integers(1, 8)),
        }
        for one in lab.ids
        for p in range(people)
        for _ in range(trials)
    ]  # fmt: skip


def test_choices_of_each_person(lab: Any) -> None:
    rows = answers(lab)
    rows[5]["choice"] = None  # no answer: an error, not an absence
    del rows[7]  # never asked
    lab.table("answers.csv", rows)
    made = lab.prepared(CHOICES, stimuli=as_labelled(lab), species="human")
    values = made.measurement
    assert values.dims == ("presentation", "choice", "subject") and made.card.kind == "choices"
    assert values.coords["label"].values.tolist() == list("ab" * 6)
    for row in rows:
        cell = values[lab.ids.index(row["stimulus_id"]), :, int(row["subject"][1])]
        chosen = [c for c, v in zip(values.coords["choice"].values.tolist(), cell.values, strict=True) if v == 1]
        assert chosen == ([row["choice"]] if row["choice"] else [])
    assert int(values.isnull().all("choice").sum()) == 1


def test_choices_that_are_counted(lab: Any) -> None:
    rows = answers(lab, trials=4)
    lab.table("answers.csv", rows)
    made = lab.prepared(CHOICES, stimuli=as_labelled(lab), species="human")
    assert made.card.kind == "counts" and made.measurement.dims == ("presentation", "choice")
    assert made.measurement.sum("choice").values.tolist() == [12.0] * 12
    share = sum(r["choice"] == "b" and r["stimulus_id"] == "im03" for r in rows)
    assert made.measurement.values[3, made.measurement.coords["choice"].values.tolist().index("b")] == share


def test_without_right_answers_choices_are_counted(lab: Any) -> None:
    lab.table("answers.csv", answers(lab))
    made = lab.prepared(CHOICES, species="human")
    assert made.card.kind == "counts" and any("right answer" in note for note in made.notes)


def test_ratings_of_each_person(lab: Any) -> None:
    rows = answers(lab, trials=2)
    lab.table("answers.csv", rows)
    lab.table("fit.csv", {"stimulus_id": lab.ids, "filename": [f"{i}.png" for i in lab.ids], "rating": range(12)})
    stimuli = {"folder": "images", "fitting": "fit.csv"}
    made = lab.prepared(RATINGS, stimuli=stimuli, species="human", question="Do you like it?", scale=[1, 7])
    assert made.measurement.dims == ("presentation", "subject")
    mine = [r["liking"] for r in rows if r["stimulus_id"] == "im02" and r["subject"] == "p1"]
    assert made.measurement.values[2, 1] == np.mean(mine)
    assert any("averaged" in note for note in made.notes)
    assert {"fitting.csv", "fitting/im00.png"} <= set(made.files)


def test_what_ratings_lack_is_listed(lab: Any) -> None:
    lab.table("answers.csv", answers(lab))
    problems = lab.refused(RATINGS, species="human")
    for word in ("question is missing", "scale is missing", "stimuli.fitting is missing"):
        one(problems, word)
    lab.table("fit.csv", {"stimulus_id": lab.ids, "filename": [f"{i}.png" for i in lab.ids]})
    changes = {"species": "human", "question": "Do you like it?", "scale": [2, 6]}
    problems = lab.refused(RATINGS, stimuli={"folder": "images", "fitting": "fit.csv"}, **changes)
    one(problems, "ratings lie outside of the scale 2 to 6")


def test_who_answered_has_to_be_known(lab: Any) -> None:
    lab.table("answers.csv", [{"stimulus_id": i, "choice": "a"} for i in lab.ids])
    one(lab.refused(CHOICES, species="human"), "who answered is missing")
    assert lab.prepared({**CHOICES, "subject": "p0"}, stimuli=as_labelled(lab), species="human").card.kind == "choices"


def test_kinds_are_packaged_apart(lab: Any, wide: dict[str, Any]) -> None:
    lab.trials()
    lab.table("answers.csv", answers(lab))
    one(lab.refused(CHOICES, wide), "kinds 'choices', 'recording' cannot be one data set")
