"""Settings of the documentation site; `make docs` builds it without network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from stable_tiles import __version__

project = "stable-tiles"
author = "the authors of stable-tiles"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "generated",
]
exclude_patterns = ["**.ipynb_checkpoints"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "stable-tiles"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
