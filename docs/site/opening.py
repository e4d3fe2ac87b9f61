# SPDX-License-Identifier: Apache-2.0
"""The comment that opens a header, as it stands but without its marks: `{opening} include/ctconv/ctconv.h`.

In:   a path below the tree's root.   Out: a block of text.
Refuses: a file whose second comment is not a block (/* ... */); the first is the licence.
"""

import pathlib
import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = pathlib.Path(__file__).resolve().parents[2]


def opening(text):
    comments = re.match(r"/\*[^\n]*\*/\n/\*(.*?)\*/", text, re.DOTALL)
    if not comments:
        raise ValueError("the header does not begin with its licence and a comment")
    return "\n".join(re.sub(r"^ \* ?", "", line) for line in comments[1].strip().split("\n"))


class Opening(SphinxDirective):
    required_arguments = 1

    def run(self):
        path = ROOT / self.arguments[0]
        self.env.note_dependency(str(path))
        text = opening(path.read_text(encoding="utf-8"))
        return [nodes.literal_block(text, text, language="text")]


def setup(app):
    app.add_directive("opening", Opening)
    return {"version": "1", "parallel_read_safe": True}
