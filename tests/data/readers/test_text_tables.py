"""Every row of a table fits its header: one that does not is refused with its line, never shifted, renamed or lost."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brainmark
from brainmark.core.errors import DataError
from brainmark.data.packaging import package, parse_description
from brainmark.data.packaging.folder import write_stimuli
from brainmark.data.readers.text_tables import TableLayout, read_text_table

SAID = {"region": "V4", "subject": "Ada", "units": "spikes/s", "neuroids": "u*"}


def read(tmp_path: Path, content: str | bytes, name: str = "t.csv", **layout: Any) -> list[list[str]]:
    """The table as lists, header first."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_text_table(path, TableLayout(**layout))
    return [table.columns.tolist(), *table.to_numpy().tolist()]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,a,b\n1,2,3,\n4,5,6,\n", "line 2 has 4 fields, the header 3 .1 more lines.*remove the separator"),
        ("id,a,b\n1,2,3\n4,5,6,\n", "line 3 has 4 fields, the header 3; remove the separator"),
        ("id,a,b\n1,2,3\n4,5", "line 3 has 2 fields, the header 3; the row is cut short"),
        ("id,a,b\n1,2,3\n\n4,5\n", "line 4 has 2 fields"),
        ("id,a\n1,2,5\n3,4\n", "line 2 has 3 fields, the header 2; put fields"),
        ("a,b\n1,2,3\n2,5,6\n", "name the first column too"),
        ("id,u1,u1\na,1,2\n", "columns 2, 3 are both called 'u1'"),
        ("id,u1,é,e\u0301\na,1,2,3\n", "columns 3, 4 are both called 'é'"),
        ("id,,\na,1,2\n", "columns 2, 3 have no name"),
        ("id,u1,\na,1,2\n", "column 3 has no name, and holds '2'"),
        (",u1\nim00,1\nim01,2\n", "column 1 has no name, and holds 'im00'"),
        ("id,u1\na,1\nid,u1\nb,2\n", "line 3 repeats the header"),
        ("id;u1;u2\na;1,5;2,5\n", 'its header is one field, .* say separator = ";"'),
        ("id\tu1\na\t1\n", r'say separator = "\\t"'),
        ("id, u1, u2\na, 1, 2\n", 'names of columns begin with a blank; say separator = ", "'),
        ('id,u1\na,"1\nb,2\nc,3\n', "line 2 opens a quote that is never closed"),
        ('id,u1\na,1\nb,"2\nc,"3\n', "line 3 has characters after a closing quote"),
        ('id,text\na,"he said\nb,fine\nc,ok"\nd,yes\n', "the quotes that open on line 2 enclose line 3"),
        ('id,text,n\na,"he said,1\nb,fine",2\n', "line 2 has|enclose line 3"),
        ("id,text\na,one\rb,two\nc,three\n", "line 2 holds a carriage return|line 2"),
        ("text\none\rtwo\nthree\n", "line 2 holds a carriage return"),
        ("id,u1\na\0,1\n", "line 2 holds a NUL character"),
        ("# by hand\nid,u1\na,1\n", "line 2 has 2 fields, the header 1"),
        ("id,u1\n# gap\na,1\n", 'line 2 has 1 field, the header 2; say comment = "#"'),
        ("", "is empty"),
        ("\n\n", "is empty"),
        (b"id,u1\ncaf\xe9,1\n", r"line 2 is not UTF-8 \(byte 0xE9\).*latin-1"),
        ("id,u1\na,1\n".encode("utf-16-le"), 'looks like UTF-16: say encoding = "utf-16"'),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as refusal:
        read(tmp_path, content)
    assert "t.csv" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "layout", "rows"),
    [
        ("id,u1\na,1\n\nb,2\n\n", {}, [["a", "1"], ["b", "2"]]),
        ("id,u1\r\na,1\r\nb,2\r\n", {}, [["a", "1"], ["b", "2"]]),
        ("id,u1\ra,1\rb,2\r", {}, [["a", "1"], ["b", "2"]]),
        ("id,u1\r\na,1\nb,2", {}, [["a", "1"], ["b", "2"]]),
        ("\ufeffid,u1\na,1\n", {}, [["a", "1"]]),
        (",id,u1\n0,a,1\n1,b,2\n", {}, [["a", "1"], ["b", "2"]]),
        ('"","id","u1"\n"1","a",1\n"2","b",NA\n', {}, [["a", "1"], ["b", "NA"]]),
        ("id,u1,\na,1,\nb,2,\n", {}, [["a", "1"], ["b", "2"]]),
        ("id;u1\na;1,5\n", {"separator": ";"}, [["a", "1,5"]]),
        ("id, u1\na, 1\n", {"separator": ", "}, [["a", "1"]]),
        ("id   u1\na  1\n", {"separator": " ", }, [["a", "1"]]),
        ("id,u1\ncafé,1\n".encode("latin-1"), {"encoding": "latin-1"}, [["café", "1"]]),
        ("id,u1\na,1\n".encode("utf-16"), {}, [["a", "1"]]),
        ("id,u1\na,1\n".encode("utf-16-be"), {"encoding": "utf-16-be"}, [["a", "1"]]),
        ("# by hand\nid,u1\na,1\n# end\n", {"comment": "#"}, [["a", "1"]]),
        ("made by E-Prime\nid,u1\na,1\n", {"header_line": 2}, [["a", "1"]]),
        ('id,text\na,5" disc\n', {}, [["a", '5" disc']]),
        ('id,text\na,"unclosed\nb,fine\n', {"quote": ""}, [["a", '"unclosed'], ["b", "fine"]]),
        ('id,text\na,"he said ""no"", then"\n', {}, [["a", 'he said "no", then']]),
        ('id,text\na,"one\ntwo"\n', {}, [["a", "one\ntwo"]]),
        ('"id","text"\n"a","one, two\nthree, four"\n', {}, [["a", "one, two\nthree, four"]]),
        ('id,text\na,"one\rtwo"\n', {}, [["a", "one\rtwo"]]),
        ("id,u1\n", {}, []),
    ],
)  # fmt: skip
def test_tables_as_programs_write_them(
    tmp_path: Path, content: str | bytes, layout: dict[str, Any], rows: list[list[str]]
) -> None:
    assert read(tmp_path, content, **layout)[1:] == rows


def test_packed_tables_are_unpacked(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"id\tu1\na\t1\n", mtime=0), "t.tsv.gz") == [["id", "u1"], ["a", "1"]]


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), min_size=3,
                 max_size=3), min_size=1, max_size=6,
    )
)  # fmt: skip
def test_no_field_is_lost_or_shifted(tmp_path_factory: Any, rows: list[list[str]]) -> None:
    """Whatever the fields hold, a table that quotes every field is read as it was written."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *rows])
    assert read(tmp_path_factory.mktemp("t"), text.getvalue().encode())[1:] == rows


def test_a_table_that_shifts_is_not_packaged(lab: Any) -> None:
    """A separator at the end of each row made the first column an index, so that each unit got its neighbour's rate."""
    rows = [f"{one},{k},{k * 10}," for k, one in enumerate(lab.ids)]
    (lab.folder / "r.csv").write_text("\n".join(["stimulus_id,u1,u2", *rows]))
    problems = lab.refused({"file": "r.csv", **SAID})
    assert sum("line 2 has 4 fields, the header 3" in problem for problem in problems) == 1


def test_wide_tables_of_many_columns(lab: Any) -> None:
    names = [f"u{k}" for k in range(20_000)]
    rows = [",".join([one, *(f"{k}.5" for k in range(20_000))]) for one in lab.ids[:3]]
    (lab.folder / "r.csv").write_text("\n".join([",".join(["stimulus_id", *names]), *rows]))
    made = lab.prepared({"file": "r.csv", **SAID}).measurement
    assert dict(made.sizes) == {"presentation": 3, "neuroid": 20_000} and float(made[1, 19_999]) == 19_999.5


# --- what other programs write ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "layout"),
    [
        ("1.5;NA;-2", {"separator": ";", "missing": "NA"}),
        ("1,5;NaN;-2,0", {"separator": ";", "decimal": ",", "missing": ["NaN"]}),
        ('"1,5",.,"-2"', {"decimal": ",", "missing": "."}),
        ("1.5,-999,-2", {"missing": ["-999"]}),
        ("1.5,-999.0,-2", {"missing": ["-999"]}),
        ("1.5,#N/A,-2e0", {"missing": ["#N/A"]}),
        ("1.5,,-2", {}),
        ("1.5,n/a,-2", {}),
    ],
)
def test_numbers_and_gaps_of_other_programs(lab: Any, fields: str, layout: dict[str, Any]) -> None:
    sign = layout.get("separator", ",")
    rows = [f"im00{sign}{fields}", f"im01{sign}{fields}"]
    (lab.folder / "r.csv").write_text("\n".join([sign.join(["stimulus_id", "u1", "u2", "u3"]), *rows]))
    made = lab.prepared({"file": "r.csv", **SAID, **layout})
    assert made.measurement.values.tolist() == [[1.5, -2.0]] * 2
    assert made.measurement.coords["neuroid_id"].values.tolist() == ["u1", "u3"]


@pytest.mark.parametrize(
    ("field", "layout", "way"),
    [
        ("NA", {}, 'missing = ["NA"]'),
        ("nan", {}, 'missing = ["nan"]'),
        (".", {}, 'missing = ["."]'),
        ("1;5", {}, "missing = [...]"),
        ("1.234,5", {"decimal": ",", "separator": ";"}, "missing = [...]"),
        ("1.5", {"decimal": ",", "separator": ";"}, 'decimal is ","'),
        ("1_000", {}, "missing"),
        ("TRUE", {}, "missing"),
        ("inf", {}, "missing"),
        ("１２", {}, "missing"),
        ("0x1F", {}, "missing"),
        ("1 000", {}, "missing"),
        ("2024-01-02", {}, "missing"),
    ],
)
def test_what_is_no_number_is_refused_with_its_line_and_the_way_out(
    lab: Any, field: str, layout: dict[str, Any], way: str
) -> None:
    sign = layout.get("separator", ",")
    rows = [f"{one}{sign}{field if k == 3 else k}{sign}2" for k, one in enumerate(lab.ids)]
    (lab.folder / "r.csv").write_text("\n".join([sign.join(["stimulus_id", "u1", "u2"]), *rows]), "utf-8")
    (problem,) = lab.refused({"file": "r.csv", **SAID, **layout})
    assert f"column 'u1' holds {field!r} in line 5" in problem and way in problem


def test_the_layout_holds_for_every_table_of_a_part(lab: Any) -> None:
    (lab.folder / "r.csv").write_text("\n".join(["stimulus_id;u1", *(f"{one};{k},5" for k, one in enumerate(lab.ids))]))
    (lab.folder / "u.csv").write_text("neuroid_id;region;depth\nu1;V4;0,25\n")
    rows = [f"{one};{one}.png;{k},5" for k, one in enumerate(lab.ids)]
    (lab.folder / "s.csv").write_text("\n".join(["stimulus_id;filename;size", *rows]))
    layout = {"separator": ";", "decimal": ","}
    source = {"file": "r.csv", **SAID, **layout, "neuroid_table": "u.csv"}
    made = lab.prepared(source, stimuli={"table": "s.csv", "folder": "images", **layout}).measurement
    assert made.coords["depth"].values.tolist() == [0.25]
    assert made.coords["size"].values.tolist() == [k + 0.5 for k in range(12)]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("separator", "ab", "one character"),
        ("separator", "", "one character"),
        ("decimal", ";", "decimal is ';'"),
        ("encoding", "utf-99", "no such encoding"),
        ("header_line", 0, "header_line is 0"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(lab: Any, field: str, value: Any, words: str) -> None:
    lab.trials()
    (problem,) = lab.refused({"file": "rates.csv", **SAID, field: value})
    assert words in problem


# --- what is packaged can be loaded ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    [
        ["line one\rline two", "word", "other"],
        ["one, two\nthree, four", "a, b\nc, d", "=1+1"],
        ['he said "no"', "  blanks  ", "NA"],
        ["a\r\nb", "\ttab", "1.10"],
        ["None", "nan", "\u2028"],
    ],
)
def test_texts_are_loaded_as_they_were_packaged(lab: Any, texts: list[str]) -> None:
    """A carriage return in a text broke its row when the package was loaded."""
    with (lab.folder / "s.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["stimulus_id", "text"], *zip("abc", texts, strict=True)])
    (lab.folder / "r.csv").write_text("stimulus_id,u1\na,1\nb,2\nc,3\n")
    told = lab.describe(
        {"file": "r.csv", **SAID}, stimuli={"table": "s.csv"}, modality="text", domain="language", degrees=None,
        duration=None,
    )  # fmt: skip
    made = package(parse_description(told, "lab.toml"), lab.folder, lab.folder / "out")
    loaded = brainmark.load_dataset(str(lab.folder / "out"))
    assert loaded.stimuli is not None and loaded.stimuli.table["text"].tolist() == texts
    assert made.files["stimuli.csv"] == write_stimuli(loaded.stimuli.table.reset_index())


# --- what is no table of text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04\x14\x00", "an Excel file or another ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel file"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (gzip.compress(b"id,u1\na,1\n", mtime=0), "a packed file"),
    ],
)
def test_files_of_other_formats_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=f"is {words}, and no table of text; save the table as CSV in UTF-8"):
        read(tmp_path, content)


@pytest.mark.parametrize("name", ["rates.xlsx", "rates.parquet", "rates.json"])
def test_recordings_in_formats_that_are_not_read_are_told_the_way_out(lab: Any, name: str) -> None:
    (lab.folder / name).write_bytes(b"PK\x03\x04")
    (problem,) = lab.refused({"file": name, **SAID})
    assert "use one of" in problem and "CSV" in problem


def test_packed_recordings_are_read(lab: Any) -> None:
    rows = "\n".join(["stimulus_id\tu1", *(f"{one}\t{k}" for k, one in enumerate(lab.ids))])
    (lab.folder / "r.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    assert lab.prepared({"file": "r.tsv.gz", **SAID}).measurement.values.ravel().tolist() == list(range(12))


def test_the_first_line_of_a_table_by_excel_names_its_separator(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=;\r\nid;u1\r\na;1,5\r\n") == [["id", "u1"], ["a", "1,5"]]
