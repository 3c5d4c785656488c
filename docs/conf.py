"""How Sphinx builds these pages. What the code knows is written from the code, by `from_code`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import from_code  # noqa: E402

import recurra  # noqa: E402

project = "recurra"
author = "The recurra developers"
release = version = recurra.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.doctest"]
exclude_patterns = ["_build", "numbers-table.md"]  # the table is included
default_role = "code"
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence"]
html_theme = "furo"
html_title = "recurra"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
pygments_style, pygments_dark_style = "friendly", "monokai"
doctest_test_doctest_blocks = ""


def setup(_app: object) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    from_code.write_pages(HERE / "reference" / "generated")
