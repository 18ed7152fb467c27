"""Settings of the documentation. It builds without network; every page that lists things reads them from the code."""

from __future__ import annotations

import sys
from pathlib import Path

import brainmark

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Brainmark"
author = "The Brainmark developers"
copyright = f"2026, {author}"
release = version = brainmark.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "registered",
    "one_line_fields",
]
exclude_patterns = ["_build", "**/*-table.md"]  # tables that pages include
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"Brainmark {release}"
html_static_path = ["_static"]
html_css_files = ["brainmark.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5a8f", "color-brand-content": "#0b5a8f"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f5", "color-brand-content": "#7cc4f5"},
}
pygments_style = "friendly"
pygments_dark_style = "native"
