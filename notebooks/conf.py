"""How the manual is built from this folder: ``python -m sphinx -W notebooks build/manual``. Nothing is executed."""

from __future__ import annotations

import sys
from pathlib import Path

import linq_nb

sys.path.insert(0, str(Path(__file__).parent))  # _reference.py

project = "linq_nb"
author = "linq_nb contributors"
version = release = linq_nb.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton", "_reference"]
exclude_patterns = ["lite", "**.ipynb_checkpoints", "**/README.md"]

html_theme = "furo"
html_title = f"linq_nb {version}"
smartquotes = False  # they would make one dash of the two of an option
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
copybutton_selector = "div.highlight:not(.output *) pre"

nb_execution_mode = "off"  # the stored outputs, which nbval compares
nb_ipywidgets_js = {}  # widgets need a kernel; their static record is shown, and nothing is loaded from elsewhere
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"  # classes are made by functions, or their records have columns
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
