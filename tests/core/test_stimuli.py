"""Stimuli and experiments: what they refuse, and what their digests depend on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
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
from brainmark.core.stimuli import content_digest


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


# ---------------------------------------------------------------------------------------------- content of media
@dataclass
class Clip:
    pixels: np.ndarray


def _picture(seed: int) -> np.ndarray:
    grey = np.full((32, 32), 128, np.uint8)
    grey[8:24, 8:24] = np.random.default_rng(seed).integers(0, 256, (16, 16))
    return grey


KINDS = {
    "array": _picture,
    "array of objects": lambda seed: np.array([f"word{seed}", "again"], object),
    "Pillow picture": lambda seed: Image.fromarray(_picture(seed)),
    "picture with a palette": lambda seed: Image.fromarray(_picture(seed)).convert("P"),
    "picture and class": lambda seed: (Image.fromarray(_picture(seed)), 0),
    "dataclass": lambda seed: Clip(_picture(seed)),
    "mapping": lambda seed: {"pixels": _picture(seed), "rate": None},
    "numbers": lambda seed: [1.0, seed, np.float32(seed)],
    "tensor": lambda seed: torch.from_numpy(_picture(seed)),
    "tensor of bfloat16": lambda seed: torch.from_numpy(_picture(seed)).bfloat16(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_media_of_any_kind_are_known_by_their_content(kind):
    digests = [content_digest(KINDS[kind](seed)) for seed in (*range(20), *range(20))]
    assert digests[:20] == digests[20:]
    assert len(set(digests)) == 20


def test_content_of_arrays_and_texts_hashes_as_it_always_did():
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert content_digest(array) == hashlib.sha256(b"<i2(2, 3)" + array.tobytes()).digest()
    assert content_digest(array[:, ::-1]) == hashlib.sha256(b"<i2(2, 3)" + array[:, ::-1].tobytes()).digest()
    assert content_digest("é") == content_digest("é".encode()) == hashlib.sha256("é".encode()).digest()


def test_parts_of_media_do_not_run_into_each_other():
    media = ["ab", ["ab"], ["a", "b"], ["", "ab"], [["a"], "b"], [1], ["1"], [True], {"a": "b"}, None, np.array(["ab"])]
    assert len({content_digest(medium) for medium in media}) == len(media)


def test_a_medium_of_unknown_content_is_refused():
    class Own:
        pass

    for medium in (Own(), (1, Own()), {1, 2}, Path("a.png")):
        with pytest.raises(InvalidStimuli, match=r"cannot hash .* of type .*: use an array, a picture"):
            content_digest(medium)


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
