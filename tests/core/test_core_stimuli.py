"""Stimuli and experiments: what they refuse, and what their digests depend on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainmark.core import (
    Choose,
    Decide,
    Experiment,
    ImageFiles,
    InvalidStimuli,
    Match,
    Move,
    NextWord,
    OddOneOut,
    Rate,
    Read,
    Record,
    Setting,
    Stimuli,
)  # fmt: skip


def pictures(count: int = 3, seed: int = 0) -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(seed).integers(0, 256, (count, 5, 4, 3), dtype=np.uint8))


def stimuli(media=None, names=None, **columns) -> Stimuli:
    media = pictures() if media is None else media
    ids = pd.Index(names or [f"s{i}" for i in range(len(media))], name="stimulus_id")
    return Stimuli("toy", "image", pd.DataFrame(columns, index=ids), media)


# ------------------------------------------------------------------------------------------------------- tables
@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": ["a"]}, r"stimuli 'toy': no index or column 'stimulus_id' among \['name'\]"),
        ({"stimulus_id": [], "text": []}, "stimuli 'toy': the table is empty"),
        ({"stimulus_id": ["a", "b", "a", "a"], "text": list("wxyz")}, "stimulus_id 'a' stands 3 times"),
        ({"stimulus_id": [1, 2, 1], "text": list("xyz")}, "stimulus_id '1' stands 2 times"),
        ({"stimulus_id": ["a"], "words": ["x"]}, r"neither media nor a column 'text' among \['words'\]"),
    ],
)
def test_refused_tables(table, message):
    with pytest.raises(InvalidStimuli, match=message):
        Stimuli("toy", "text", pd.DataFrame(table))


def test_as_many_media_as_rows():
    with pytest.raises(InvalidStimuli, match="stimuli 'toy': 2 media for 3 rows of the table"):
        stimuli(pictures(2), ["a", "b", "c"])


def test_identifiers_are_text_in_presentation_order_and_the_given_table_stays_as_it_is():
    given = pd.DataFrame({"stimulus_id": [3, 1, 2], "text": ["x", "y", "z"]})
    made = Stimuli("toy", "text", given)
    assert made.ids.tolist() == ["3", "1", "2"]
    assert made.table.index.name == "stimulus_id"
    assert list(made.media) == ["x", "y", "z"]
    assert list(given.columns) == ["stimulus_id", "text"]


# ------------------------------------------------------------------------------------------------------- digests
def test_the_digest_depends_on_content_not_on_names_or_metadata():
    assert stimuli().digest == stimuli(names=["x", "y", "z"]).digest == stimuli(label=[1, 2, 3]).digest
    assert stimuli().digest != stimuli(pictures(seed=1)).digest


def test_one_changed_pixel_changes_the_digest():
    changed = tuple(p.copy() for p in pictures())
    changed[1][2, 2, 0] ^= 1
    assert stimuli(changed).digest != stimuli().digest


def test_order_number_shape_type_and_modality_count():
    base, media = stimuli().digest, pictures()
    others = [
        stimuli(media[::-1]),
        stimuli(media[:2]),
        stimuli((*media, media[0])),
        stimuli(tuple(m.reshape(4, 5, 3) for m in media)),
        stimuli(tuple(m.astype(np.int16) for m in media)),
        Stimuli("toy", "video", stimuli().table, media),
    ]
    assert len({base, *(o.digest for o in others)}) == len(others) + 1


def test_the_digest_is_that_of_the_pixels_whatever_their_memory_layout():
    assert stimuli(tuple(np.asfortranarray(p) for p in pictures())).digest == stimuli().digest


def test_boundaries_between_texts_count():
    one = Stimuli("a", "text", pd.DataFrame({"stimulus_id": ["1", "2"], "text": ["ab", "c"]}))
    two = Stimuli("a", "text", pd.DataFrame({"stimulus_id": ["1", "2"], "text": ["a", "bc"]}))
    assert one.digest != two.digest


def test_media_that_cannot_be_hashed_are_named():
    with pytest.raises(InvalidStimuli, match="cannot hash a stimulus of type dict: use an array, a string or bytes"):
        _ = stimuli(({}, {}, {})).digest
    assert len(Stimuli("a", "audio", stimuli().table, (b"1", b"2", b"3")).digest) == 64


# ------------------------------------------------------------------------------------------------------- files
@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, picture in enumerate(pictures()):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    return tmp_path


def from_files(folder: Path, *names: str) -> Stimuli:
    return Stimuli("files", "image", pd.DataFrame({"stimulus_id": names, "path": [str(folder / n) for n in names]}))


def test_image_files_are_decoded_when_asked_for_and_hash_as_their_pixels(folder):
    made = from_files(folder, "0.png", "1.png", "2.png")
    assert isinstance(made.media, ImageFiles)
    np.testing.assert_array_equal(made.media[1], pictures()[1])
    assert made.digest == stimuli().digest


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "P", "1"])
def test_images_of_any_mode_become_rgb(mode, folder):
    Image.fromarray(pictures()[0]).convert(mode).save(folder / f"{mode}.tiff")
    image = from_files(folder, f"{mode}.tiff").media[0]
    assert (image.shape, image.dtype) == ((5, 4, 3), np.uint8)


def test_files_that_are_missing_or_no_images_are_named(folder):
    (folder / "no.png").write_bytes(b"not an image")
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    made = from_files(folder, "0.png", "gone.png", "no.png", "cut.png")
    with pytest.raises(InvalidStimuli, match=r"image 1: no file .*gone\.png"):
        made.media[1]
    with pytest.raises(InvalidStimuli, match=r"image 2: cannot decode .*no\.png"):
        made.media[2]
    with pytest.raises(InvalidStimuli, match=r"image 3: cannot decode .*cut\.png"):
        made.media[3]


# ------------------------------------------------------------------------------------------------------- taking
def test_taking_some_keeps_rows_media_and_their_order():
    some = stimuli(label=["x", "y", "z"]).take([2, 0])
    assert some.ids.tolist() == ["s2", "s0"]
    assert some.table["label"].tolist() == ["z", "x"]
    np.testing.assert_array_equal(some.media[0], pictures()[2])
    assert some.digest == stimuli((pictures()[2], pictures()[0])).digest
    assert some.take(np.array([1])).ids.tolist() == ["s0"]
    assert (some.identifier, stimuli().take([0], "first").identifier) == ("toy[2]", "first")


def test_taking_one_twice_or_none_or_too_many_is_refused():
    with pytest.raises(InvalidStimuli, match="stands 2 times"):
        stimuli().take([0, 0])
    with pytest.raises(InvalidStimuli, match="empty"):
        stimuli().take([])
    with pytest.raises(IndexError):
        stimuli().take([3])


def test_taking_loads_nothing(folder):
    made = from_files(folder, "0.png", "gone.png").take([1, 0])
    np.testing.assert_array_equal(made.media[1], pictures()[0])


# ------------------------------------------------------------------------------------------------- experiments
FIT, OTHER = stimuli(label=["x", "y", "x"]), stimuli(pictures(seed=2), label=["x", "y", "x"])
ASKS = [
    Record("V4"), Record("IT"), Record("V4", ((0.0, 50.0),)), Record("V4", ((0.0, 60.0),)), Record("V4", (), 1.0),
    Choose(("a", "b")), Choose(("b", "a")), Choose(fitting=FIT), Choose(fitting=OTHER), OddOneOut(), Match(), Match(4),
    Read("surprisal"), Read("reading_time"), NextWord(), Rate("?", 1, 7), Rate("?", 1, 5), Move(("hand",), "mm"),
    Move(("hand",), "cm"), Decide(("a", "b")), Decide(("a", "b"), 500.0),
]  # fmt: skip
SETTINGS = [Setting(), Setting(degrees=8), Setting(trials=2), Setting(duration=100), Setting(seed=1)]


def test_the_digest_of_an_experiment_tells_questions_and_settings_apart():
    digests = [Experiment(stimuli(), ask).digest for ask in ASKS]
    digests += [Experiment(stimuli(), Record("V4"), setting).digest for setting in SETTINGS[1:]]
    digests += [Experiment(stimuli(pictures(seed=1)), Record("V4")).digest]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("ask", ASKS, ids=repr)
def test_the_digest_of_an_experiment_is_repeatable(ask):
    assert Experiment(stimuli(), ask).digest == Experiment(stimuli(names=["p", "q", "r"]), ask, Setting()).digest


def test_numbers_that_are_equal_are_one_experiment():
    def digest(degrees, bins):
        return Experiment(stimuli(), Record("V4", bins), Setting(degrees=degrees)).digest

    first = digest(8, ((0, 50),))
    assert first == digest(8.0, ((0.0, 50.0),)) == digest(np.float32(8), ((np.int64(0), np.int64(50)),))
    assert first == digest(8, [[0, 50]])


def test_the_digest_of_an_experiment_is_the_same_in_every_process():
    code = (
        "import pandas as pd; from brainmark.core import *; "
        "table = pd.DataFrame({'stimulus_id': ['1'], 'text': ['x']}); "
        "print(Experiment(Stimuli('a', 'text', table), Choose(('p', 'q')), Setting(degrees=8)).digest)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop()) == 64
