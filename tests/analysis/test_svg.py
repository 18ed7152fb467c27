"""Figures inside a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from brainmark.analysis import figures, style
from brainmark.analysis.svg import COLOURS, Sheet, inline_svg
from brainmark.core.score import ControlScore, Score

MODELS = ("one <b>&amp; $x_1$", "two", "三")


@pytest.fixture
def figure():
    return figures.score_figure(
        [Score("B", name, v, v, 0.9, (v - 0.1, v), (v, v), (0.8, 1.0), controls={"c$d$": ControlScore(0.1, 0.1)})
         for name, v in zip(MODELS, (0.1, 0.2, 0.3), strict=True)]
    )  # fmt: skip


def test_svg_is_small_labelled_and_holds_the_names_as_text(figure):
    svg = inline_svg(figure, "v1", 'a "label" & more', Sheet())
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'a "label" & more'
    assert set(root.attrib) == {"viewBox", "class", "role", "aria-label"}
    texts = [t.text for t in root.iter("text")]
    assert set(MODELS) <= set(texts)
    assert "control: c$d$ (0.10)" in texts
    assert len(svg) < 12_000


def test_styles_are_classes_in_the_colours_of_the_page(figure):
    sheet = Sheet()
    svg = inline_svg(figure, "v1", "label", sheet)
    css = sheet.css()
    assert "style=" not in svg
    assert "<style" not in svg
    assert set(re.findall(r'class="(f\d+)"', svg)) == set(re.findall(r"^\.(f\d+)\{", css, re.MULTILINE))
    assert not re.search(r"#[0-9a-f]{6}", css), "a colour that does not follow light and dark"
    for colour in (style.MODEL, style.CONTROL, style.CEILING, style.INK):
        assert f"var({COLOURS[colour]})" in css
    assert "DejaVu" not in css


def test_identifiers_of_two_figures_never_meet(figure):
    found = []
    for name in ("v1", "v2"):
        svg = inline_svg(figure, name, "label", Sheet())
        ids = re.findall(r'\bid="([^"]+)"', svg)
        used = re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)
        assert len(ids) == len(set(ids))
        assert set(used) == set(ids)
        found.append(set(ids))
    assert found[0]
    assert found[0].isdisjoint(found[1])


def test_rounding_keeps_points_within_a_tenth(figure):
    value = figure.axes[0].transData.transform((0.3, 0))[0] * 72 / figure.dpi
    svg = inline_svg(figure, "v1", "label", Sheet())
    places = [float(x) for x in re.findall(r'<use [^>]*\bx="([\d.]+)"', svg)]
    assert np.abs(np.array(places) - value).min() < 0.1
