"""Features that were computed elsewhere: every row is that of its stimulus, or an error says which is not."""

from __future__ import annotations

import re
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainmark.core import DataError, NotApplicable, Setting, Stimuli
from brainmark.core.benchmark import Benchmark
from brainmark.core.errors import InvalidModel
from brainmark.core.experiment import Choose, Experiment, Match, OddOneOut, Prefer, Rate, Read, Record
from brainmark.core.measurement import check_answer
from brainmark.data import feature_files
from brainmark.models.subjects.features import features

IDS = [f"im{k}" for k in range(6)]
X = np.arange(24, dtype=np.float32).reshape(6, 4)
MIXED = [3, 0, 5, 1, 4, 2]


def ask(what=None, ids=IDS, **columns) -> Experiment:
    table = pd.DataFrame({"stimulus_id": list(ids), "text": [f"text {k}" for k in range(len(ids))], **columns})
    return Experiment(Stimuli("six", "text", table), what or Record("V4"), Setting())


def perform(subject, experiment=None, **more):
    experiment = experiment or ask(**more)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return check_answer(subject.perform(experiment), experiment, subject.identifier)


def write_nc(path, values=X, ids=IDS, name="V4", dims=("presentation", "neuroid"), **coords):
    held = {"stimulus_id": (dims[0], np.array(ids, dtype=object)), **coords}
    xr.Dataset({name: (dims, values)}, coords=held).to_netcdf(path, engine="h5netcdf")
    return path


def in_npy(path, values, ids):
    np.save(path / "x.npy", values)
    (path / "ids.txt").write_text("\n".join(ids) + "\n")
    return features(path / "x.npy", ids=path / "ids.txt")


def in_csv(path, values, ids):
    np.save(path / "x.npy", values)
    (path / "ids.csv").write_text("row,stimulus_id\n" + "".join(f"{k},{one}\n" for k, one in enumerate(ids)))
    return features(path / "x.npy", ids=path / "ids.csv")


def in_npz(path, values, ids):
    np.savez(path / "x.npz", V4=values, ids=np.array(ids))
    return features(path / "x.npz")


def in_compressed_npz(path, values, ids):
    np.savez_compressed(path / "x.npz", V4=values, stimulus_id=np.array(ids, dtype="S"))
    return features(path / "x.npz")


def in_nc(path, values, ids):
    return features(write_nc(path / "x.nc", values, ids))


def in_memory(_, values, ids):
    return features(values, ids=ids, name="mine")


def in_xarray(_, values, ids):
    return features(xr.DataArray(values, dims=("stimulus_id", "unit"), coords={"stimulus_id": ids}))


FORMATS = [in_npy, in_csv, in_npz, in_compressed_npz, in_nc, in_memory, in_xarray]


@pytest.mark.parametrize("given", FORMATS)
def test_rows_go_to_the_stimuli_that_they_name_in_any_order(given, tmp_path):
    subject = given(tmp_path, X[MIXED], [IDS[k] for k in MIXED])
    np.testing.assert_array_equal(perform(subject).values, X)


@pytest.mark.parametrize("given", FORMATS)
def test_stimuli_without_a_row_are_counted_and_named(given, tmp_path):
    subject = given(tmp_path, X[:4], IDS[:4])
    with pytest.raises(InvalidModel, match=r"2 of the 6 stimuli of six have no row, such as 'im4', 'im5'; rows are"):
        perform(subject)


@pytest.mark.parametrize("given", FORMATS)
def test_identifiers_that_stand_twice_are_refused(given, tmp_path):
    with pytest.raises(DataError, match="1 identifier stand more than once, such as 'im1'"):
        given(tmp_path, X, ["im0", "im1", "im1", "im3", "im4", "im5"])


@pytest.mark.parametrize("given", FORMATS)
def test_rows_of_other_stimuli_are_told(given, tmp_path):
    subject = given(tmp_path, np.vstack([X, X[:2]]), [*IDS, "other", "more"])
    with pytest.warns(UserWarning, match=r"2 of 8 rows are none of the 6 stimuli .* such as 'other', 'more'"):
        answer = subject.perform(ask())
    np.testing.assert_array_equal(answer.values, X)


@pytest.mark.parametrize("given", FORMATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_by_stimulus_and_column(given, bad, tmp_path):
    values = X.copy()
    values[4, 2] = bad
    with pytest.raises(InvalidModel, match=rf"stimulus 'im4', column 2 is {bad}$"):
        perform(given(tmp_path, values, IDS))


@pytest.mark.parametrize("given", FORMATS)
def test_as_many_identifiers_as_rows(given, tmp_path):
    with pytest.raises((DataError, ValueError), match=r"4 identifiers for 6 rows|conflicting sizes|but length"):
        given(tmp_path, X, IDS[:4])


@pytest.mark.parametrize("values", [X.astype(complex), X.astype("c8"), X > 3, X.astype("i1"), X.astype(">f4"),
                                    X.astype("f2"), X.astype(">i8"), np.asfortranarray(X), X.astype("f8")])  # fmt: skip
def test_numbers_of_every_kind_are_themselves_or_refused(values, tmp_path):
    np.save(tmp_path / "x.npy", values)
    if values.dtype.kind == "c":
        with pytest.raises(InvalidModel, match="complex numbers; give their real parts, or their magnitudes"):
            features(tmp_path / "x.npy", ids=IDS)
        return
    answer = perform(features(tmp_path / "x.npy", ids=IDS))
    np.testing.assert_array_equal(answer.values, values.astype(float))
    assert answer.dtype in (np.float32, np.float64)
    assert answer.dtype.isnative


def test_objects_and_masks_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[1, "a"], [2, None]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="holds Python objects"):
        features(tmp_path / "x.npy", ids=["a", "b"])
    np.savez(tmp_path / "x.npz", V4=X, ids=np.array(IDS, dtype=object))
    with pytest.raises(DataError, match="holds Python objects"):
        features(tmp_path / "x.npz")
    with pytest.raises(InvalidModel, match="masked array"):
        features(np.ma.masked_less(X, 3), ids=IDS)
    with pytest.raises(InvalidModel, match="masked array"):
        features({"V4": np.ma.masked_less(X, 3)}, ids=IDS)


def test_a_fill_value_is_no_number(tmp_path):
    held = xr.Dataset({"V4": (("presentation", "neuroid"), X)}, coords={"stimulus_id": ("presentation", IDS)})
    held["V4"].encoding["_FillValue"] = np.float32(9.0)
    held.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(InvalidModel, match="stimulus 'im2', column 1 is missing"):
        perform(features(tmp_path / "x.nc"))
    held["V4"].encoding = {"scale_factor": 2.0, "dtype": "i2", "_FillValue": -1}
    held.to_netcdf(tmp_path / "packed.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="has the attribute 'scale_factor'"):
        features(tmp_path / "packed.nc")


def test_rows_without_identifiers_are_in_order_only_where_that_is_said(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(InvalidModel, match=r"does not say which stimulus each row is; .*--in-order"):
        features(tmp_path / "x.npy")
    np.testing.assert_array_equal(perform(features(tmp_path / "x.npy", in_order=True)).values, X)
    with pytest.raises(InvalidModel, match="has 6 rows for the 5 stimuli of six"):
        perform(features(tmp_path / "x.npy", in_order=True), ids=IDS[:5])
    with pytest.raises(InvalidModel, match="names its stimuli, so that in_order is not needed"):
        features(write_nc(tmp_path / "x.nc"), in_order=True)
    with pytest.raises(DataError, match="names its stimuli itself; leave out"):
        features(write_nc(tmp_path / "x.nc"), ids=IDS)


def test_identifiers_are_text_whatever_they_look_like(tmp_path):
    ids = ["007", "1e3", "NA", "true", "ü", "10"]
    subject = in_csv(tmp_path, X, ids)
    np.testing.assert_array_equal(perform(subject, ids=ids).values, X)
    with pytest.raises(InvalidModel, match="such as '7', '1000', 'nan'"):
        perform(subject, ids=["7", "1000", "nan", "true", "ü", "10"])
    np.savez(tmp_path / "n.npz", V4=X, ids=np.arange(6))
    np.testing.assert_array_equal(perform(features(tmp_path / "n.npz"), ids=list("012345")).values, X)
    np.testing.assert_array_equal(perform(features(X, ids=["e\u0301", *"abcde"]), ids=["\u00e9", *"abcde"]).values, X)
    with pytest.raises(DataError, match="identifiers are float64"):
        features(X, ids=[0.5, 1, 2, 3, 4, 5])
    with pytest.raises(DataError, match="2 of 6 identifiers are empty, the first in row 1"):
        features(X, ids=["a", "", "b", "c", "", "d"])


def test_each_region_has_its_array(tmp_path):
    np.savez(tmp_path / "x.npz", V4=X, layer3=X + 1, ids=np.array(IDS))
    subject = features(tmp_path / "x.npz")
    np.testing.assert_array_equal(perform(subject).values, X)
    with pytest.raises(NotApplicable, match=r"no array for 'IT', but 'V4', 'layer3'; say .* \(--region IT=NAME\)"):
        subject.perform(ask(Record("IT")))
    mapped = features(tmp_path / "x.npz", regions={"IT": "layer3"})
    assert set(perform(mapped, ask(Record("IT"))).region.values) == {"IT"}
    np.testing.assert_array_equal(perform(mapped, ask(Record("IT"))).values, X + 1)
    assert mapped.content != subject.content
    with pytest.raises(InvalidModel, match="region 'IT': there is no array 'layer4'"):
        features(tmp_path / "x.npz", regions={"IT": "layer4"})
    with pytest.raises(NotApplicable, match="no array for 'IT'"):  # V4 is V4
        features({"V4": X}, ids=IDS).perform(ask(Record("IT")))
    np.testing.assert_array_equal(perform(features({"penultimate": X}, ids=IDS), ask(Record("IT"))).values, X)


def test_what_is_known_of_units_stays(tmp_path):
    coords = {"x": ("neuroid", np.arange(4.0)), "layer": ("neuroid", np.array(list("abcd"), dtype=object))}
    answer = perform(features(write_nc(tmp_path / "x.nc", **coords)))
    assert answer.x.values.tolist() == [0, 1, 2, 3]
    assert answer.layer.values.tolist() == list("abcd")


def test_time_bins_are_those_that_are_asked_for(tmp_path):
    bins = {"time_bin_start": ("time_bin", [0.0, 50.0]), "time_bin_end": ("time_bin", [50.0, 100.0])}
    values = np.stack([X, X + 100], axis=2)
    subject = features(write_nc(tmp_path / "x.nc", values, dims=("presentation", "neuroid", "time_bin"), **bins))
    asked = Record("V4", time_bins=((0, 50), (50, 100)))
    np.testing.assert_array_equal(perform(subject, ask(asked)).values, values)
    with pytest.raises(InvalidModel, match=r"has time bins .*; \[\(0, 50\), \(50, 90\)\] are asked for"):
        subject.perform(ask(Record("V4", time_bins=((0, 50), (50, 90)))))
    with pytest.raises(InvalidModel, match="an average over time are asked for"):
        subject.perform(ask())
    static = perform(features(X, ids=IDS), ask(asked))
    np.testing.assert_array_equal(static.values, np.stack([X, X], axis=2))
    with pytest.raises(NotApplicable, match="lie near fixation is not known"):
        features(X, ids=IDS).perform(ask(Record("V4", eccentricity=0.2)))


@pytest.mark.parametrize("values", [X[:, 0], X[None], np.float32(3), np.empty((6, 0), "f4")])
def test_other_shapes_are_refused(values):
    with pytest.raises((InvalidModel, DataError), match=r"shape|identifiers for"):
        perform(features({"V4": values}, ids=IDS))


def test_probabilities_go_to_the_choices_that_they_name(tmp_path):
    odds = np.array([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5], [1, 0], [0, 1], [0.3, 0.7]])
    np.savez(tmp_path / "x.npz", choose=odds, choices=np.array(["dog", "cat"]), ids=np.array(IDS))
    answer = perform(features(tmp_path / "x.npz"), ask(Choose(labels=("cat", "dog"))))
    np.testing.assert_array_equal(answer.values, odds[:, ::-1])
    assert answer.choice.values.tolist() == ["cat", "dog"]
    with pytest.raises(InvalidModel, match=r"its columns are 'dog', 'cat' \(2\); there are 'cat', 'cow' \(2\)"):
        features(tmp_path / "x.npz").perform(ask(Choose(labels=("cat", "cow"))))
    with pytest.raises(InvalidModel, match="does not say what its 2 columns stand for; name the 'choices'"):
        features({"choose": odds}, ids=IDS).perform(ask(Choose(labels=("cat", "dog"))))


def test_choices_alone_are_answers_too():
    subject = features({"choose": np.array(["cat", "dog", "cat", "cat", "dog", "dog"])}, ids=IDS)
    answer = perform(subject, ask(Choose(labels=("cat", "dog"))))
    assert answer.values[:, 0].tolist() == [1, 0, 1, 1, 0, 0]
    with pytest.raises(InvalidModel, match="the answer 'dog' is no choice; there are 'cat', 'cow' to choose from"):
        subject.perform(ask(Choose(labels=("cat", "cow"))))


@pytest.mark.parametrize("odds", [[[3.0, -1.0]] * 6, [[0.9, 0.9]] * 6, [[2.0, -1.0]] * 6])
def test_what_is_no_probability_is_refused(odds):
    with pytest.raises(InvalidModel, match="6 of 6 rows are no probabilities, the first of stimulus 'im0'"):
        features({"choose": xr.DataArray(np.array(odds), dims=("presentation", "choice"),
                  coords={"stimulus_id": ("presentation", IDS), "choice": ["a", "b"]})}).perform(
                      ask(Choose(labels=("a", "b"))))  # fmt: skip


def test_answers_to_groups_are_named_by_the_first_of_each():
    assert perform(
        features({"odd_one_out": np.array([2, 0])}, ids=["im0", "im3"]), ask(OddOneOut())
    ).values.tolist() == [2, 0]
    both = np.array([[0.25, 0.75], [1.0, 0.0]])
    np.testing.assert_array_equal(perform(features({"match": both}, ids=["im0", "im3"]), ask(Match())).values, both)
    three = np.array([[0.5, 0.5]] * 3)
    np.testing.assert_array_equal(perform(features({"prefer": three}, ids=IDS[::2]), ask(Prefer())).values, three)
    np.testing.assert_array_equal(
        perform(features({"read": np.arange(6.0)}, ids=IDS), ask(Read("surprisal"))).values, np.arange(6)
    )


def test_behaviour_is_read_out_from_features_as_of_a_network():
    """A nearest prototype is found: the first two stimuli teach what the others are."""
    rng = np.random.default_rng(0)
    label = np.array(["a", "b"] * 10)
    shown = rng.normal(size=(20, 5)) + 6 * (label == "b")[:, None]
    fitting = ask(ids=[f"f{k}" for k in range(20)], label=label).stimuli
    ids = [*(f"f{k}" for k in range(20)), *IDS]
    new = rng.normal(size=(6, 5)) + 6 * np.array([0, 1, 1, 0, 1, 0])[:, None]
    subject = features({"behavior": np.vstack([shown, new])}, ids=ids)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = subject.perform(ask(Choose(fitting=fitting)))
    assert (answer.values[:, 1] > 0.5).tolist() == [False, True, True, False, True, False]
    close = np.array([[1.0, 0], [0.99, 0.1], [0, 1], [0, 1], [0.1, 0.99], [1, 0]])
    assert perform(features(close, ids=IDS), ask(OddOneOut())).values.tolist() == [2, 2]
    with pytest.raises(NotApplicable, match="no array 'read' of answers and none called 'behavior'"):
        features({"V4": X}, ids=IDS).perform(ask(Read("surprisal")))
    with pytest.raises(NotApplicable, match="cannot answer"):
        features({"behavior": X}, ids=IDS).perform(ask(Rate("beauty", 0, 1)))


def test_files_are_mapped_and_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_files, "BLOCK", 32)  # two rows
    np.save(tmp_path / "x.npy", X)
    assert isinstance(features(tmp_path / "x.npy", ids=IDS).tables[""].values.base, np.memmap)
    np.savez(tmp_path / "x.npz", V4=X, ids=np.array(IDS))
    assert isinstance(features(tmp_path / "x.npz").tables["V4"].values.base, np.memmap)
    subject = features(write_nc(tmp_path / "x.nc"))
    assert not isinstance(subject.tables["V4"].values, np.ndarray)
    np.testing.assert_array_equal(perform(subject, ids=[IDS[k] for k in MIXED]).values, X[MIXED])
    bad = X.copy()
    bad[5, 3] = np.nan
    with pytest.raises(InvalidModel, match="stimulus 'im5', column 3 is nan"):
        perform(features(bad, ids=IDS))


def test_damaged_and_foreign_files_are_named(tmp_path):
    np.savez(tmp_path / "x.npz", V4=X, ids=np.array(IDS))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    place = content.index(X.tobytes())
    content[place + 9] ^= 4  # a bit of a number
    (tmp_path / "x.npz").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as \.npz: Bad CRC"):
        features(tmp_path / "x.npz")
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(DataError, match=r"x\.npy: cannot be read as \.npy"):
        features(tmp_path / "x.npy", ids=IDS)
    (tmp_path / "x.nc").write_bytes(b"CDF\x01 old")
    with pytest.raises(
        DataError, match=r"no netCDF-4 file; with xarray write it by to_netcdf\(path, engine='h5netcdf'"
    ):
        features(tmp_path / "x.nc")
    (tmp_path / "x.pkl").write_bytes(b"")
    with pytest.raises(DataError, match=r"features are read from \.npy, \.npz, \.nc files"):
        features(tmp_path / "x.pkl")
    with pytest.raises(DataError, match="there is no such file"):
        features(tmp_path / "none.npy")
    with zipfile.ZipFile(tmp_path / "e.npz", "w"):
        pass
    with pytest.raises(DataError, match="holds no array of features"):
        features(tmp_path / "e.npz")


@pytest.mark.parametrize("name", ["gabor", "two words", "", 'a"b', "a\nb"])
def test_names_of_models_and_bad_names_are_refused(name):
    if name:
        with pytest.raises(InvalidModel, match=re.escape(repr(name))):
            features(X, ids=IDS, name=name)
    else:
        assert features(X, ids=IDS, name=name).identifier == "features"


def test_the_digest_is_that_of_the_content(tmp_path):
    one, other = in_npy(tmp_path, X, IDS), in_npy(tmp_path, X, IDS)
    assert one.content == other.content
    assert one.identifier == "x.npy"
    assert in_npy(tmp_path, X + 1, IDS).content != one.content
    assert in_npy(tmp_path, X, IDS[::-1]).content != one.content
    assert features(X, ids=IDS).content == features(X.copy(), ids=tuple(IDS)).content
    assert features(X, ids=IDS).content != features(X, ids=IDS[::-1]).content
    assert features(X, ids=IDS).content != features({"V4": X}, ids=IDS).content


def test_features_are_a_model_like_any_other(make_card):
    target = xr.DataArray(X, dims=("presentation", "neuroid"),
                          coords={"stimulus_id": ("presentation", IDS), "neuroid_id": ("neuroid", np.arange(4)),
                                  "region": ("neuroid", ["V4"] * 4)})  # fmt: skip

    def metric(answer, target):
        from brainmark.core import Comparison

        return Comparison(xr.DataArray(-np.abs(answer.values - target.values).mean(axis=0), dims="neuroid"))

    task = Benchmark("Toy.V4-difference", make_card("benchmark"), ask(), target, metric)
    assert task(features(X[MIXED], ids=[IDS[k] for k in MIXED])).value == 0
    assert task(features(X + 1, ids=IDS)).value == -1
