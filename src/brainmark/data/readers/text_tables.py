"""Reads tables of text, such as CSV and TSV, as they are written: every field is text, and every row fits the header.

What a program would have to guess (which fields are numbers, where a row belongs that is too long) is never guessed: a
name such as 001, 1.10 or NA stays what it is, and a row that does not fit the header is refused with its line.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from brainmark.core.errors import DataError
from brainmark.core.libraries import np, pd
from brainmark.data.readers.damage import explain_damage

_BY_SUFFIX = {".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_NO_TEXT = {
    b"PK\x03\x04": "an Excel file or another ZIP archive", b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"PAR1": "a Parquet file", b"\x89HDF": "an HDF5 file", b"\x93NUMPY": "a NumPy file", b"\x1f\x8b": "a packed file",
    b"%PDF": "a PDF file", b"\x80\x04": "a pickle", b"\x80\x05": "a pickle",
}  # fmt: skip
"""How files begin that are taken for tables -> what they are."""
_SEPARATORS = (";", "\t", ",", "|")
_LARGEST = 1 << 33  # bytes that a packed table may have when it is unpacked


@dataclass(frozen=True)
class TableLayout:
    """How a table of text is written.

    Attributes
    ----------
    separator : between fields; None: a tab in .tsv, .tab and .txt, else a comma. A blank after it is skipped in ", ".
    decimal : the sign before the decimals of numbers.
    encoding : of the characters; None: UTF-8, or what the byte order mark says.
    missing : texts that mean "not measured" in columns of numbers and answers, beside the empty field and "n/a".
    comment : lines that begin with this are left out; None: none are.
    quote : the sign around fields that hold separators; "": none is.
    header_line : line of the file that names the columns; what stands above is left out.
    """

    separator: str | None = None
    decimal: str = "."
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    comment: str | None = None
    quote: str = '"'
    header_line: int = 1


DEFAULT = TableLayout()


def read_text_table(path: Path, layout: TableLayout = DEFAULT) -> pd.DataFrame:
    """Return a table of text: index ``line`` (of the file), a column for each name of the header, "" where empty.

    Names of columns are in the composed form of Unicode (NFC). Row numbers in a first column without a name, as R and
    pandas write them, are left out.

    Raises
    ------
    DataError : it cannot be read, a row does not fit the header, columns have one name or none; names the line.
    """
    lines = list(io.StringIO(_decode(path, layout), newline=""))[layout.header_line - 1 :]
    if lines and (stated := re.fullmatch(r'"?sep=(.)"?\s*', lines[0])):  # the first line of a table by Excel
        rest = replace(layout, separator=layout.separator or stated[1], header_line=layout.header_line + 1)
        return read_text_table(path, rest)
    records = _split(lines, path, layout)
    if not records:
        raise DataError(f"{path}: is empty; a table has a header, and a row below it for each thing that it tells of")
    (_, header), *rows = records
    header = [unicodedata.normalize("NFC", name) for name in header]
    _check_header(header, rows, path, layout)
    _check_widths(header, rows, path, layout)
    _check_line_breaks(lines, records, path, layout)
    table = pd.DataFrame(
        np.array([row for _, row in rows], dtype=object).reshape(len(rows), len(header)),
        index=pd.Index([line for line, _ in rows], name="line"), columns=pd.Index(header, dtype=object), dtype=object,
    )  # fmt: skip
    return _drop_nameless(table, path)


def _decode(path: Path, layout: TableLayout) -> str:
    """Return the text of a file; unpacked, if its name ends in .gz."""
    with explain_damage(path, "cannot be read as a table"):
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as packed:
                raw = packed.read(_LARGEST + 1)
        else:
            raw = path.read_bytes()
    if len(raw) > _LARGEST:
        raise DataError(f"{path}: is larger than {_LARGEST >> 30} GiB; keep arrays of that size as .npy")
    known = next((what for mark, what in _NO_TEXT.items() if raw.startswith(mark)), None)
    if known is not None:
        raise DataError(f"{path}: is {known}, and no table of text; save the table as CSV in UTF-8")
    own = next((name for mark, name in _BOMS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(layout.encoding or own).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line} is not {layout.encoding or 'UTF-8'} (byte 0x{raw[error.start]:02X}); say which "
            'encoding the program wrote, such as encoding = "latin-1" or "utf-16", or save the table as UTF-8'
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        hint = '; it looks like UTF-16: say encoding = "utf-16"' if raw.count(b"\0") * 3 > len(raw) else ""
        raise DataError(f"{path}: line {line} holds a NUL character, which is no text{hint}")
    return text


def _split(lines: Sequence[str], path: Path, layout: TableLayout) -> list[tuple[int, list[str]]]:
    """Return the rows with the line on which each begins, less blank lines and comments."""
    separator = layout.separator or _usual_separator(path)
    reader = csv.reader(
        lines, strict=True, delimiter=separator[0], skipinitialspace=separator.endswith(" "),
        quotechar=layout.quote or None, quoting=csv.QUOTE_MINIMAL if layout.quote else csv.QUOTE_NONE,
    )  # fmt: skip
    records: list[tuple[int, list[str]]] = []
    begun = 0
    try:
        for row in reader:
            is_comment = layout.comment is not None and lines[begun].startswith(layout.comment)
            if row and not is_comment:
                records.append((begun + layout.header_line, row))
            begun = reader.line_num
    except csv.Error as error:
        reason = {
            "unexpected end of data": "opens a quote that is never closed",
            f"'{separator[0]}' expected after '{layout.quote}'": "has characters after a closing quote",
        }.get(str(error), str(error))
        raise DataError(
            f"{path}: line {begun + layout.header_line} {reason}; double the quotes inside of a field, "
            'or say quote = "" if quotes are plain characters'
        ) from None
    return records


def _usual_separator(path: Path) -> str:
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return _BY_SUFFIX.get(name.suffix.lower(), ",")


def _check_header(
    header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], path: Path, layout: TableLayout
) -> None:
    """Refuse names that stand twice, a header that was not split, and one that stands again among the rows."""
    other = next((sign for sign in _SEPARATORS if sign in header[0]), None)
    if len(header) == 1 and other is not None:
        sign = "\\t" if other == "\t" else other
        raise DataError(f'{path}: its header is one field, {header[0]!r}; say separator = "{sign}"')
    if len(header) > 1 and layout.separator is None and all(name.startswith(" ") for name in header[1:]):
        raise DataError(f'{path}: names of columns begin with a blank; say separator = "{_usual_separator(path)} "')
    twice = {name: count for name, count in Counter(header).items() if count > 1}
    if twice:
        name = next(iter(twice))
        places = [str(k) for k, one in enumerate(header, 1) if one == name]
        what = f"are both called {name!r}" if name else "have no name"
        raise DataError(f"{path}: columns {', '.join(places)} {what}; give every column a name of its own")
    again = [line for line, row in rows if list(row) == list(header)]
    if again:
        raise DataError(
            f"{path}: line {again[0]} repeats the header; if two tables were put together, remove it, "
            "or name the two files apart"
        )


def _check_widths(
    header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], path: Path, layout: TableLayout
) -> None:
    wrong = [(line, row) for line, row in rows if len(row) != len(header)]
    if not wrong:
        return
    line, row = wrong[0]
    if len(row) < len(header):
        way = "the row is cut short, or lacks a separator"
    elif len(row) == len(header) + 1 and not row[-1]:
        way = "remove the separator at its end"
    elif len(wrong) == len(rows) and len(row) == len(header) + 1:
        way = "name the first column too (write.table of R: row.names = FALSE)"
    else:
        way = "put fields that hold a separator in quotes, or say which sign separates fields (separator = ...)"
    if layout.comment is None and row[0].startswith(("#", "%", "//")):
        way = f'say comment = "{row[0][0]}" if such lines are comments'
    more = f" ({len(wrong) - 1} more lines do not fit either)" if len(wrong) > 1 else ""
    fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
    raise DataError(f"{path}: line {line} has {fields}, the header {len(header)}{more}; {way}")


def _check_line_breaks(
    lines: Sequence[str], records: Sequence[tuple[int, Sequence[str]]], path: Path, layout: TableLayout
) -> None:
    """Refuse carriage returns within rows, and quotes around what looks like several rows.

    In a table whose header stands in quotes all texts do, and a stray quote would have been found before.
    """
    first = [line - layout.header_line for line, _ in records]
    ends = [lines[begin - 1] for begin in [*first[1:], len(lines)] if lines[begin - 1].endswith(("\r", "\n"))]
    alone = [k for k, end in enumerate(ends) if end.endswith("\r")]
    if alone and len(alone) < len(ends):
        raise DataError(
            f"{path}: line {records[alone[0]][0]} holds a carriage return, as no other line; put the field in quotes, "
            "or remove it"
        )
    separator, width = (layout.separator or _usual_separator(path))[0], len(records[0][1])
    if width < 2 or not layout.quote or lines[first[0]].startswith(layout.quote):
        return
    for (line, row), begin, following in zip(records, first, [*first[1:], len(lines)], strict=True):
        if following - begin == 1:
            continue
        broken = sum(field.count("\n") + field.replace("\r\n", "\n").count("\r") for field in row)
        for inner in lines[begin + 1 : begin + 1 + broken]:
            if inner.count(separator) == width - 1:
                raise DataError(
                    f"{path}: the quotes that open on line {line} enclose line {lines.index(inner, begin) + 1}, which "
                    'looks like a row of its own; close them, say quote = "" if quotes are plain characters, '
                    "or write the table with all fields in quotes, the header too"
                )


def _drop_nameless(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Leave out a column without a name that holds row numbers (the first) or nothing; refuse any other."""
    nameless = [k for k, name in enumerate(table.columns) if not str(name).strip()]
    for place in nameless:
        fields = table.iloc[:, place].tolist()
        numbers = place == 0 and any(fields == [str(k + start) for k in range(len(fields))] for start in (0, 1))
        if not numbers and any(fields):
            held = next(field for field in fields if field)
            raise DataError(f"{path}: column {place + 1} has no name, and holds {held!r}; name it, or remove it")
    return table.iloc[:, [k for k in range(table.shape[1]) if k not in nameless]] if nameless else table
