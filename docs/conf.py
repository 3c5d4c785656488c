"""The configuration of Sphinx. `from_code` writes the reference pages, `network_drawings` the figures."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import from_code  # noqa: E402 - the path is set above
import network_drawings  # noqa: E402 - the path is set above

import recurra  # noqa: E402 - after the modules above

project = "recurra"
author = "The recurra developers"
release = version = recurra.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "typeset_math",
]
exclude_patterns = ["_build", "numbers-table.md", "speed-tables.md"]  # the tables are included
default_role = "code"
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence", "dollarmath"]
html_theme = "furo"
html_title = f"recurra {release}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["recurra.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # a browser fetches no excerpts for a page that is opened as a file
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
pygments_style, pygments_dark_style = "friendly", "monokai"
doctest_test_doctest_blocks = ""


def setup(_app: object) -> None:
    """Write the generated pages and drawings before Sphinx looks for sources."""
    from_code.write_pages(HERE / "reference" / "generated")
    network_drawings.write_drawings(HERE / "images" / "generated")
