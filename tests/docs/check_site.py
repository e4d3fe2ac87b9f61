#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The built site: every internal link and picture leads somewhere, and the reference names everything public.

In:   the folder of the site; capi/api.json, the package's __all__ lists.
Out:  how many pages and links, exit 0; or one line per fault, exit 1.
Rule: a link without a scheme leads to a file below the folder, and its #part to an id of that file. Every function and
      record of the table has an entry on the C page, every public name of the Python package one on the Python page.
        --pages: every page of docs/ is named where the site's contents are (Sphinx refuses one that is not).
Usage: check_site.py FOLDER | check_site.py --pages | check_site.py --self-test
"""

import ast
import fnmatch
import html.parser
import json
import pathlib
import re
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Page(html.parser.HTMLParser):
    """The ids of a page, and what it refers to."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)
            elif (tag, name) in (("a", "href"), ("link", "href"), ("img", "src"), ("script", "src")):
                self.links.append((self.getpos()[0], value or ""))


def faults_of(folder, pages):
    for name, page in pages.items():
        for line, link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc or not (parts.path or parts.fragment):
                continue
            path = (folder / name).parent / urllib.parse.unquote(parts.path) if parts.path else folder / name
            path = path.resolve()
            if not path.is_relative_to(folder) or not path.is_file():
                yield f"{name}:{line}: {link} leads nowhere"
            elif parts.fragment and path.suffix == ".html":
                other = path.relative_to(folder).as_posix()
                if urllib.parse.unquote(parts.fragment) not in pages[other].ids:
                    yield f"{name}:{line}: {link}: {other} has no such part"


def public_names():
    """What the Python page must name: the lists __all__ of the package and of the submodules that users import."""
    package = ROOT / "bindings" / "python" / "ctconv"
    for module in ("", "pool.py", "tiles", "dask.py", "jax", "onnx"):
        file = package / module if module.endswith(".py") else package / module / "__init__.py"
        prefix = f"ctconv.{module.removesuffix('.py')}".rstrip(".")
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                yield from (f"{prefix}.{name}" for name in ast.literal_eval(node.value))


def reference_faults(pages):
    table = json.loads((ROOT / "capi" / "api.json").read_text(encoding="utf-8"))
    ids = pages["api/c.html"].ids
    for name in (entry["name"] for entry in [*table["functions"], *table["records"]]):
        if f"c.{name}" not in ids:
            yield f"api/c.html: no {name}"
    missing = {"ctconv.version", "ctconv.pool"}  # a string and a module
    for name in public_names():
        if name not in pages["api/python.html"].ids and name not in missing:
            yield f"api/python.html: no {name}"


def unnamed(docs):
    """Pages of docs/ that stand in no table of contents."""
    pages = {path.relative_to(docs).as_posix()[:-3]: path for path in docs.rglob("*.md")}
    named = {"index"}
    for name, path in pages.items():
        for block in re.findall(
            r"^```{toctree}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            for entry in (line for line in block.splitlines() if line and not line.startswith(":")):
                pattern = (pathlib.PurePosixPath(name).parent / entry).as_posix()
                named |= set(fnmatch.filter(pages, pattern))
    return sorted(f"docs/{name}.md" for name in pages.keys() - named)


def read(folder):
    found = sorted(folder.rglob("*.html"))
    return {path.relative_to(folder).as_posix(): Page(path.read_text(encoding="utf-8")) for path in found}


def self_test():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        (folder / "a.html").write_text('<a href="b.html#x">b</a><a href="https://x.y/z">w</a><a href="#top">t</a>')
        (folder / "b.html").write_text('<p id="y"><img src="c.png"><a href="a.html">a</a>')
        got = list(faults_of(folder, read(folder)))
        (folder / "index.md").write_text("```{toctree}\n:glob:\n\nb/*\n```\n```{toctree}\na\n```\n")
        (folder / "b").mkdir()
        for page in ("a.md", "c.md", "b/d.md"):
            (folder / page).write_text("# page\n")
        got += unnamed(folder)
    wanted = [
        "a.html:1: b.html#x: b.html has no such part",
        "a.html:1: #top: a.html has no such part",
        "b.html:1: c.png leads nowhere",
        "docs/c.md",
    ]
    if got != wanted:
        sys.exit(f"check_site: wanted {wanted}, got {got}")


def main(arguments):
    if "--self-test" in arguments:
        return self_test()
    if "--pages" in arguments:
        found = unnamed(ROOT / "docs")
        print("\n".join(f"{name}: name it in docs/index.md" for name in found) or "every page is named")
        return 1 if found else 0
    folder = pathlib.Path(arguments[0]).resolve()
    pages = read(folder)
    faults = [*faults_of(folder, pages), *reference_faults(pages)]
    print("\n".join(faults) or f"{len(pages)} pages, {sum(len(p.links) for p in pages.values())} links: all right")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
