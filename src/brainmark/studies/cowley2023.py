"""Cowley, Stan, Pillow & Smith 2023: V4 of a fixating macaque, two test sessions with a Utah array.

Spike counts in 100 ms bins. How large the images were shown is stated neither with the data nor in the abstract of
the paper; `Setting.degrees` is therefore None.

Session 210325 has trials, hence a ceiling. Of session 201025 only averages are published: its scores are raw.
The sessions share neither images nor neurons, so that each is split within itself, and no map from units to neurons
can go from one to the other. What does carry over is the choice of a layer: `brainmark layers` makes it on one
session and tells how good it is on the other.
"""

from __future__ import annotations

from brainmark.core import DataError, Setting, Stimuli, Study, register_benchmark
from brainmark.core.libraries import pd, xr
from brainmark.data.fetch import GitFolder
from brainmark.data.readers.archive import ZipImages
from brainmark.data.readers.arrays import array_of

FILES = GitFolder(
    "cowleygroup/V4_compact_models@f4552ad9d34a466ebc66658f72a08a8e5038f1cf/data_V4_responses",
    {
        "responses_raw/responses_210325.npy": (
            "4008dbbf31a47d9b1b8d8da609f4a7a3433c7071f0e45c611c220b217dd75b76",
            2560128,
        ),
        "images/images_210325.zip": ("992774eca3508a2ad01accb1a31f5f3e3d90248c49f4eec314f2a915a263e454", 1841475),
        "responses_repeat_averaged/responses_201025.npy": (
            "f729f3dc0d29aa38bd380c0da9e39aba916f9e2580949929b65d1714e7217a8a",
            854528,
        ),
        "images/images_201025.zip": ("3abb63679107665eab7220bdeaf7863832a1df943bf3d7792501f5082a55b2e8", 4131376),
    },
)

STUDY = Study(
    licence="GPL-3.0", cite="cowley2023 cowley2026", species="macaque", domain="vision", modality="image",
    regions=("V4",), setting=Setting(duration=100.0),
)  # fmt: skip


@STUDY.dataset(
    "Cowley2023.210325",
    "210325",
    "responses_raw/responses_210325.npy",
    (50, 640, 10),
    summary="50 V4 neurons of one macaque, 640 images of Bashivan et al. 2019, 6 to 10 trials each.",
    sources=FILES.sources[:2],
)
@STUDY.dataset(
    "Cowley2023.201025", "201025", "responses_repeat_averaged/responses_201025.npy", (89, 1200),
    summary="89 V4 neurons of one macaque, 1200 natural images, averages over trials.",
    sources=FILES.sources[2:],
)  # fmt: skip
def read_session(session: str, file: str, shape: tuple[int, ...]) -> tuple[xr.DataArray, Stimuli]:
    """Read spikes in 100 ms, presentation x neuroid [x repetition]; NaN: not presented that often."""
    name = f"Cowley2023.{session}"
    responses = array_of(FILES.fetch(file), shape)  # neuroid, presentation[, repetition]
    images = ZipImages(FILES.fetch(f"images/images_{session}.zip"))
    neurons, count = shape[:2]
    if len(images) != count:
        raise DataError(f"{images.path}: holds {len(images)} images; expected {count}")
    ids = [f"{name}/{i + 1:04d}" for i in range(count)]
    measurement = xr.DataArray(
        responses.swapaxes(0, 1),
        dims=("presentation", "neuroid", "repetition")[: len(shape)],
        coords={
            "stimulus_id": ("presentation", ids),
            "neuroid_id": ("neuroid", [f"{name}/{i + 1:02d}" for i in range(neurons)]),
            "region": ("neuroid", ["V4"] * neurons),
            "subject": ("neuroid", ["PE"] * neurons),
            "session": ("neuroid", [session] * neurons),
        },
        attrs={"units": "spikes in 100 ms"},
    )
    table = pd.DataFrame({"file": list(images.members)}, index=pd.Index(ids, name="stimulus_id"))
    return measurement, Stimuli(name, "image", table, images)


for _part, _session in (("V4", "210325"), ("V4.201025", "201025")):
    for _metric, _how, _options in (
        ("pls", "predicted linearly, image by image, from 25 components", None),
        ("ridge", "predicted linearly, image by image", None),
        ("rdm", "and which images they answer alike, next to the model (RSA)", {"resamples": 200}),  # ranks take long
        ("cka", "and the kernel of their population, aligned with the model's", None),
    ):
        register_benchmark(
            f"Cowley2023.{_part}-{_metric}", f"Cowley2023.{_session}", _metric, options=_options,
            summary=f"V4 neurons of one macaque (session {_session}), {_how}.",
        )  # fmt: skip
