# SPDX-License-Identifier: Apache-2.0
"""The documentation site: Sphinx over docs/ (MyST), the headers (breathe) and the Python package (autodoc).

In:  docs/*.md as they stand; DOCS_XML, the folder of doxygen's XML; the package, on PYTHONPATH with CTCONV_LIBRARY.
Out: what sphinx-build is asked for. tools/docs runs it, every warning an error.
"""

import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

project = "libctconv"
author = "the authors of libctconv"
version = release = re.search(r'\nversion = "([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]

extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc", "tree_links", "plain_docstrings", "opening"]
root_doc = "index"
source_suffix = {".md": "markdown"}
exclude_patterns = ["site"]
templates_path = []

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# A page of the tree may begin below its title, and shows JSON and TSV fragments that no lexer takes for whole.
suppress_warnings = ["misc.highlighting_failure"]
highlight_language = "text"

breathe_projects = {"ctconv": os.environ.get("DOCS_XML", "")}
breathe_default_project = "ctconv"
breathe_domain_by_extension = {"h": "c", "hpp": "cpp"}
breathe_show_include = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_mock_imports = ["torch", "jax", "keras", "dask", "onnx", "onnxruntime"]

html_theme = "furo"
html_title = f"libctconv {release}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
