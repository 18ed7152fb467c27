"""Pages: templates filled with values, and figures written as an image or as a page of their own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from brainmark.analysis.output import check_place, write_file
from brainmark.analysis.style import Figure, house_style
from brainmark.analysis.svg import Sheet, inline_svg
from brainmark.core.errors import MissingDependency
from brainmark.core.libraries import jinja2, markupsafe
from brainmark.core.text import name_commands

FIGURES = (".png", ".svg", ".pdf", ".html")
"""Endings that a figure may have."""


def render(template: str, sheet: Sheet, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any) -> str:
    """Return a template filled with values, as a page that loads nothing from elsewhere.

    Parameters
    ----------
    sheet : styles of the figures in the page.
    filters : functions that the template uses by name.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brainmark.analysis"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(filters or {})
    style = resources.files("brainmark.analysis").joinpath("templates/style.css").read_text(encoding="utf-8")
    style = markupsafe.Markup(f"{style}\n{sheet.css()}\n")
    return name_commands(environment.get_template(template).render(style=style, **values))


def check_page(path: Path, what: str, endings: Sequence[str] = ()) -> None:
    """Refuse a place for a page or a figure, see `check_place`, and say so where a library for it is not installed.

    Raises
    ------
    ResourceError, MissingDependency
    """
    check_place(path, what, endings)
    for library in ("jinja2", "matplotlib"):
        if importlib.util.find_spec(library) is None:
            raise MissingDependency(library, "report", f"writing the {what}")


def embed(figure: Figure, name: str, label: str, sheet: Sheet) -> Any:
    """Return a figure as markup for a page; see `inline_svg`."""
    return markupsafe.Markup(inline_svg(figure, name, label, sheet))


def save_figure(figure: Figure, path: Path, title: str, table: Sequence[Sequence[str]] = ()) -> None:
    """Write a figure as an image, or as a page (``.html``) with the cells of a table below it, head first.

    Raises
    ------
    ResourceError : the page cannot be written.
    """
    if path.suffix.lower() != ".html":
        with house_style():
            figure.savefig(path, dpi=200)
        return
    sheet = Sheet()
    svg = embed(figure, "figure", title, sheet)
    write_file(path, render("figure.html.j2", sheet, title=title, figure=svg, table=table), "figure")
