# SPDX-License-Identifier: Apache-2.0
"""Links of the pages to what lies beside them in the tree, on the site.

In:   a page's links, as MyST leaves them.
Out:  a page of the site stays a link to it; CONTRIBUTING.md and its like become links to their pages; a source file
      becomes a link to a copy of it; a folder becomes its path, as text.
Refuses: nothing. A link to what is not there stays as it is, and Sphinx warns of it.
"""

import pathlib

from docutils import nodes
from sphinx import addnodes

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Pages of the tree's root that the site includes.
INCLUDED = {"CONTRIBUTING.md": "contributing", "SECURITY.md": "security", "CHANGELOG.md": "changelog"}


def target_in_tree(docname, folder, node):
    """The path below the tree's root that a link names; None where it leads elsewhere or nowhere."""
    target = node["reftarget"].split("#")[0]
    if node.get("refdomain") == "doc":
        target += ".md"
    for base in (ROOT, folder) if docname in INCLUDED.values() else (folder,):
        path = (base / target).resolve()
        if path.exists() and path.is_relative_to(ROOT):
            return path.relative_to(ROOT).as_posix()
    return None


def replacements(path, node, source_folder):
    """What stands in place of a link to a path of the tree; None: the link as it is."""
    text = node.astext()
    if path in INCLUDED:
        words = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{INCLUDED[path]}"}
        return [addnodes.pending_xref("", *node.children, **words, refexplicit=True, refwarn=True)]
    if (ROOT / path).is_dir():
        literal = nodes.literal(path, path)
        return [literal] if text.strip("/") == path else [nodes.Text(f"{text} ("), literal, nodes.Text(")")]
    if isinstance(node, addnodes.pending_xref) and not (ROOT / path).is_relative_to(source_folder):
        return [addnodes.download_reference("", *node.children, reftarget=f"/../{path}")]
    return None


def mend(app, doctree):
    docname = app.env.docname
    folder = pathlib.Path(app.env.doc2path(docname)).parent
    for node in list(doctree.findall(lambda n: isinstance(n, (addnodes.pending_xref, addnodes.download_reference)))):
        if node.get("reftype") != "myst":
            continue
        path = target_in_tree(docname, folder, node)
        new = replacements(path, node, pathlib.Path(app.srcdir)) if path else None
        if new:
            node.replace_self(new)


def setup(app):
    app.connect("doctree-read", mend, priority=100)  # before the copies of linked files are collected
    return {"version": "1", "parallel_read_safe": True}
