"""The report: complete, self-contained, escaped, the same bytes each time, never half-written."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from brainmark.analysis.pages import check_page
from brainmark.analysis.report import breakable, render_report, short_hash, write_report
from brainmark.core.cards import ModelCard
from brainmark.core.errors import MissingDependency, ResourceError
from brainmark.core.score import ControlScore, Failure, Score

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr", "col", "source", "area", "base", "embed", "track"}
LOADS = {"src", "srcset", "data", "poster", "action", "background", "xlink:href"}


@dataclass
class Page(HTMLParser):
    """What a browser would find: elements, text by anchor, structure faults."""

    stack: list[tuple[str, str | None]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    loads: list[tuple[str, str]] = field(default_factory=list)
    tags: Counter[str] = field(default_factory=Counter)
    rows: list[list[str]] = field(default_factory=list)
    text: dict[str | None, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        if len(given) != len(attrs):
            self.faults.append(f"<{tag}> repeats an attribute")
        self.tags[tag] += 1
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append((tag, given["href"]))
        self.loads += [(tag, v) for k, v in given.items() if k in LOADS]
        self.labelled += given.get("aria-labelledby", "").split()
        if any(k.startswith("on") for k in given):
            self.faults.append(f"<{tag}> has an inline handler")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.stack.append((tag, given.get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack[-1][0] != tag:
            self.faults.append(f"</{tag}> at line {self.getpos()[0]} closes {self.stack[-1:]}")
            return
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        if any(tag in ("td", "th") for tag, _ in self.stack):
            self.rows[-1][-1] += data
        for _, name in self.stack:
            if name:
                self.text[name] = self.text.get(name, "") + data
        self.text[None] = self.text.get(None, "") + data


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


@pytest.fixture(scope="module")
def html(outcomes, cards, where_from) -> str:
    return render_report(outcomes, title="Vision models", cards=cards, where_from=where_from)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return read(html)


def test_page_is_well_formed(page):
    assert page.faults == []
    assert page.stack == []
    assert [i for i, n in Counter(page.ids).items() if n > 1] == []
    assert page.tags["h1"] == page.tags["main"] == page.tags["title"] == 1


def test_the_reader_of_structure_sees_faults():
    broken = read('<p id="a"><b></p><i id="a" onclick="x()"></i>')
    assert len(broken.faults) >= 2
    assert broken.ids == ["a", "a"]


def test_every_internal_link_leads_somewhere(page):
    inside = {link[1:] for _, link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert set(page.labelled) <= set(page.ids)
    assert len(inside) > 10


def test_nothing_is_loaded_from_elsewhere(html, page):
    assert page.loads == []
    outside = [(tag, link) for tag, link in page.links if not link.startswith("#")]
    assert {tag for tag, _ in outside} == {"a", "link"}
    assert [link for tag, link in outside if tag == "link"] == ["data:,"]
    assert all(link.startswith("https://doi.org/") for tag, link in outside if tag == "a")
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    assert page.tags["iframe"] == page.tags["object"] == page.tags["img"] == 0


def test_every_outcome_is_in_the_leaderboard(outcomes, page):
    start = next(i for i, row in enumerate(page.rows) if row[:2] == ["Model", "Mean"])
    names = [re.sub("simulated$", "", n) for n in page.rows[start][2:]]
    table = {
        (row[0].strip(), name): cell
        for row in page.rows[start + 1 : start + 5]
        for name, cell in zip(names, row[2:], strict=True)
    }
    for outcome in outcomes:
        cell = table.pop((outcome.subject, outcome.benchmark))
        if isinstance(outcome, Failure):
            assert cell.startswith("n/a" if outcome.kind == "not_applicable" else f"failed{outcome.kind}")
        else:
            assert cell.startswith(f"{outcome.value:.2f}".replace("-", "−"))
            assert ("raw" in cell) == (outcome.ceiling is None)
            assert ("no interval" in cell) == (outcome.interval is None)
    assert set(table.values()) == {"not run"}
    assert list(table) == [("voneblock", "Real2008.IT-rdm")]


def test_every_failure_is_explained_twice(outcomes, page):
    failures = [o for o in outcomes if isinstance(o, Failure)]
    assert {f.kind for f in failures} == {"environment", "resource", "contract", "model", "not_applicable"}
    for failure in failures:
        assert failure.reason in page.text["problems"]
        assert failure.reason in page.text["benchmarks"]


def test_benchmark_sections_show_raw_values_controls_and_cards(outcomes, page):
    for outcome in outcomes:
        if isinstance(outcome, Score):
            row = next(r for r in page.rows if r[0] == outcome.subject and f"{outcome.raw:.3f}" in "".join(r[2:3]))
            assert row[1].startswith(f"{outcome.value:.3f}")
            assert row[3].startswith("none" if outcome.ceiling is None else f"{outcome.ceiling:.3f}")
            assert f"{outcome.controls['pixels'].value:.3f}" in row[5]
    text = page.text["benchmarks"]
    for fact in ("macaque", "V4", "CC BY 4.0", "pls (default convention)", "Real2023"):
        assert fact in text
    assert text.count("no ceiling: the value is not normalised") == 1


def test_a_mean_says_over_what(page, outcomes):
    by_pair = {(o.subject, o.benchmark): o for o in outcomes if isinstance(o, Score)}
    counted = [by_pair["hmax", "Real2023.V4-pls"].value, by_pair["hmax", "Real2008.IT-rdm"].value]
    means = {r[0].strip(): r[1] for r in page.rows if len(r) > 1 and re.search(r"\d of 2$", r[1])}
    assert means == {
        "hmax": f"{sum(counted) / 2:.2f}2 of 2",
        "gabor-bank": f"{by_pair['gabor-bank', 'Real2023.V4-pls'].value:.2f}1 of 2",
        "pixels": f"{by_pair['pixels', 'Real2023.V4-pls'].value:.2f}1 of 2",
        "voneblock": "none0 of 2",
    }


def test_captions_say_how_units_are_drawn(page):
    assert "one dot per neuroid" in page.text["benchmark-1"]
    assert "density" not in page.text["benchmark-1"]
    assert "density (scaled per row)" in page.text["benchmark-2"]
    assert "in green the ceilings of the same neuroids" in page.text["benchmark-2"]
    assert "no ceiling: values are raw" in page.text["benchmark-1"]


def test_simulated_benchmarks_say_so_wherever_they_are_named(page, html):
    section = re.search(r'<article id="benchmark-4".*?</article>', html, re.DOTALL)
    assert section
    assert "Simulated: the recordings come from a known network" in section.group()
    assert html.count('class="badge simulated"') == 3  # leaderboard, index, section
    assert "V4 (simulated)" in page.text["leaderboard"]


def test_origin_stamp_and_citations(page, outcomes, cards):
    assert "Real2002embedded" in "".join(page.text["origin"].split())
    assert "Real2008mirror" in "".join(page.text["origin"].split())  # not stated by the caller: from the stamp
    for word in ("0123456789abcdef0123456789abcdef01234567", "3.12.1", "numpy", "16 GiB", "eeeeeeeeeeee…"):
        assert word in page.text["stamp"]
    for name, card in cards.items():
        if name != "Real2023":  # cited by the benchmark already
            assert page.text["bibtex"].count(card.cite) == 1
    assert "On the V4 of Known" in page.text["citations"]


def test_scores_of_two_machines_are_told_apart(outcomes):
    score = next(o for o in outcomes if isinstance(o, Score))
    other = replace(score, subject="other", stamp=replace(score.stamp, packages={"numpy": "2.2.9"}))
    page = read(render_report([score, other]))
    assert "Software and hardware 2 of 2" in page.text["stamp"]
    assert "2.2.9" in page.text["stamp"]


def test_same_outcomes_same_bytes(tmp_path, outcomes, cards, where_from, html):
    first = write_report(outcomes, tmp_path / "a.html", title="Vision models", cards=cards, where_from=where_from)
    assert first.read_text(encoding="utf-8") == html


def test_same_bytes_in_another_process(tmp_path, outcomes, cards, where_from, html):
    (tmp_path / "input").write_bytes(pickle.dumps((outcomes, cards, where_from)))
    code = (
        "import hashlib, pickle, sys\n"
        "from brainmark.analysis.report import render_report\n"
        "outcomes, cards, where_from = pickle.loads(open(sys.argv[1], 'rb').read())\n"
        "page = render_report(outcomes, title='Vision models', cards=cards, where_from=where_from)\n"
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "input")],
        env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told.strip() == hashlib.sha256(html.encode()).hexdigest()


def test_settings_of_the_user_change_nothing(outcomes, cards, where_from, html):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert render_report(outcomes, title="Vision models", cards=cards, where_from=where_from) == html
        assert mpl.rcParams["font.size"] == 20


EVIL = "<script>alert('1')</script>&amp;\"$x$"


def test_everything_is_escaped(outcomes):
    score = next(o for o in outcomes if isinstance(o, Score))
    bad = replace(
        score, subject=EVIL, benchmark=f"B{EVIL}", notes=(EVIL,), details={EVIL: 1.0},
        controls={EVIL: ControlScore(0.1, 0.1)},
    )  # fmt: skip
    failure = Failure(f"B{EVIL}", f"M{EVIL}", "model", EVIL)
    card = ModelCard(
        summary=EVIL, licence=EVIL, cite="@misc{k, title = {</pre>" + EVIL + "}, url = {javascript:alert(1)}}",
        domain="vision", family=EVIL, regions=(EVIL,),
    )  # fmt: skip
    html = render_report([bad, failure], title=EVIL, cards={EVIL: card}, where_from={EVIL: EVIL})
    page = read(html)
    assert page.tags["script"] == 1
    assert page.faults == []
    assert EVIL in page.text["leaderboard"]
    assert f"M{EVIL}" in page.text["problems"]
    assert EVIL in page.text["origin"]
    assert not [link for _, link in page.links if link.startswith("javascript")]


def test_without_cards_stamps_units_controls(tmp_path):
    bare = Score("B.IT-rdm", "mine", 0.4, 0.4, None, None)
    page = read(write_report([bare], tmp_path / "new" / "folder" / "r.html").read_text(encoding="utf-8"))
    assert page.faults == []
    assert "Not registered: no card." in page.text["benchmark-1"]
    assert "These scores carry no stamp." in page.text["stamp"]
    assert "No mean" in page.text["leaderboard"]
    assert page.tags["figure"] == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_called_undefined(value):
    bare = Score("B", "mine", value, value, 0.5, (value, value))
    page = read(render_report([bare, Score("B", "other", 0.2, 0.1, 0.5, None)]))
    assert "undefined" in page.text["leaderboard"]
    assert not re.search(r"\b(nan|inf)\b", page.text[None])


def test_only_failures_still_make_a_report():
    page = read(render_report([Failure("B", "m", "not_applicable", "it has no V4")]))
    assert "it has no V4" in page.text["problems"]
    assert page.tags["figure"] == 0


def test_ambiguous_or_empty_input_is_refused(outcomes, tmp_path):
    with pytest.raises(ValueError, match="no outcomes"):
        write_report([], tmp_path / "r.html")
    with pytest.raises(ValueError, match=r"two outcomes for 'pixels' on 'Real2023\.V4-pls'"):
        write_report([outcomes[0], outcomes[0]], tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_report_survives_a_failed_one(outcomes, tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("earlier")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResourceError, match=r"cannot write the report .*r\.html: No space left on device"):
        write_report(outcomes[:1], path)
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_an_impossible_place_is_named(outcomes, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write the report"):
        write_report(outcomes[:1], tmp_path / "file" / "r.html")


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_a_missing_library_is_named_with_its_extra_before_anything_is_computed(library, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, library, None)
    way_out = rf"writing the report needs {library}; install it with: pip install 'brainmark\[report\]'"
    with pytest.raises(MissingDependency, match=way_out):
        check_page(tmp_path / "report.html", "report")


def test_many_models_and_benchmarks_stay_small(outcomes, tmp_path):
    template = next(o for o in outcomes if isinstance(o, Score))
    many = [
        replace(template, subject=f"family.model-{i}_with_a_long_name", benchmark=f"Author20{j:02d}.V4-pls")
        for i in range(30)
        for j in range(6)
    ]
    path = write_report(many, tmp_path / "r.html")
    assert path.stat().st_size < 2e6 * 6 / 20
    assert read(path.read_text(encoding="utf-8")).faults == []


def test_hashes_are_short_and_names_break_after_separators():
    assert short_hash("a" * 64) == f'<code title="{"a" * 64}">{"a" * 12}…</code>'
    assert short_hash("<b>") == '<code title="&lt;b&gt;">&lt;b&gt;</code>'
    assert short_hash(None) == "not stated"
    assert breakable("A2023.V4-pls<i>") == "A2023.<wbr>V4-<wbr>pls&lt;i&gt;"
