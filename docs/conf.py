"""Sphinx configuration; every warning is an error (see .ci/run)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "darkstats"
author = "The darkstats developers"
copyright = "2026, The darkstats developers"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "from_code",
    "notebooks",
]
exclude_patterns = ["_build", "changelog.d", "examples"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_ivar = True
html_theme = "furo"
html_title = "darkstats"
html_show_sourcelink = False
html_show_sphinx = False
