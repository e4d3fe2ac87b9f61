# SPDX-License-Identifier: Apache-2.0
"""What stays written by hand, held against the table of the C ABI.

In:   the table (api_table.py) and a root folder
Out:  faults(table, root): one line per place where one of these says another thing than the table
        include/ctconv/*.h   constants, records, functions, handles, CTCONV_..._INIT, the release, the first sizes
        tests/abi/<release>  the frozen headers: what the table dates to that release or earlier, and no more
        ctconv.hpp           calls every function but those marked wrapped false; carries every field of a call
                             (ctconv_tensor.hpp, which it includes, and ctconv_stream.hpp count along)
        _options.py          sets every field of ctconv_options but those marked bound false
        _layer.py and its two helpers: the same for ctconv_call
        Rust, Go             fill every field of a call, of options and of grads but those of LEFT_OUT
        tests/abi            appends a field to each record that grows
"""

import re

from api_table import (
    c_init,
    c_parameter,
    c_prototype,
    constants,
    growing,
    release,
    short,
    since,
)

HEADERS = ("ctconv.h", "ctconv_stream.h", "ctconv_types.h", "ctconv_status.h")
WRAPPER = ("ctconv.hpp", "ctconv_tensor.hpp", "ctconv_stream.hpp")
# Where Rust and Go fill a record, as a pattern for one field; and what they leave to ctconv-sys and cgo.
FILLED = {
    "ctconv_call": (
        ("bindings/rust/ctconv/src/op.rs", r"= sys::ctconv_call \{{[^;]*\b{0}: "),
        ("bindings/go/shim.h", r"r->call\.{0} = "),
    ),
    "ctconv_options": (
        ("bindings/rust/ctconv/src/options.rs", r"options\.{0} = "),
        ("bindings/go/op.go", r"\b(?:c\.{0} = |{0}: )"),
    ),
    "ctconv_grads": (
        ("bindings/rust/ctconv/src/backward.rs", r"= sys::ctconv_grads \{{[^;]*\b{0}: "),
        ("bindings/go/shim.h", r"r->grads\.{0} = "),
    ),
}
LEFT_OUT = {
    "ctconv_call": {"stream"},
    "ctconv_options": {"device", "allocator", "allow_tf32", "borrow_weights"},
    "ctconv_grads": {"stream"},
}
NOT_IN_GO = {"runner"}  # Go's own threads do not compute
VERSION = ("CTCONV_VERSION_MAJOR", "CTCONV_VERSION_MINOR", "CTCONV_VERSION_PATCH")

# Who fills a call record in Python.
CALL_IN_PYTHON = ("_layer", "_questions", "_region")


def plain(text):
    """Without comments."""
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def tokens(text):
    """C as its words and signs, so that spaces and breaks do not tell texts apart."""
    return " ".join(re.findall(r"\w+|[^\w\s]", text))


def seen(text):
    """A header as {constants, records, functions, handles, inits}, each {name: what it says}."""
    text = plain(text)
    numbers = dict(re.findall(r"\b(CTCONV_[A-Z0-9_]+) = (-?\d+)", text))
    numbers.update(re.findall(r"^#define (CTCONV_[A-Z0-9_]+) (-?\d+)\s*$", text, re.M))
    records = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.S):
        records[name] = [tokens(field) for field in body.split(";") if field.strip()]
    functions = {}
    for spelt in re.findall(r"^CTCONV_API ([^;]*);", text, re.M):
        functions[re.search(r"(\w+)\(", spelt).group(1)] = tokens(spelt)
    inits = {}
    for name, body in re.findall(r"^#define CTCONV_(\w+)_INIT ((?:[^\n]*\\\n)*[^\n]*)", text, re.M):
        inits[name] = tokens(body.replace("\\\n", " "))
    handles = dict.fromkeys(re.findall(r"typedef struct (\w+) \1;", text), "a handle")
    return {"constant": numbers, "record": records, "function": functions, "handle": handles, "INIT": inits}


def wanted(table, last):
    """The same, as the table has it up to the release `last`."""

    def there(entry, parent=None):
        return release(since(entry, parent)) <= release(last)

    numbers = {name: str(value) for name, value, appeared, *_ in constants(table) if release(appeared) <= release(last)}
    numbers.update({name: str(n) for name, n, _, appeared in table["rows"] if release(appeared) <= release(last)})
    records = {
        r["name"]: [tokens(c_parameter(table, f)) for f in r["fields"] if there(f, r)]
        for r in table["records"]
        if there(r)
    }
    return {
        "constant": numbers,
        "record": records,
        "function": {f["name"]: tokens(c_prototype(table, f)) for f in table["functions"] if there(f)},
        "handle": {h["name"]: "a handle" for h in table["handles"] if there(h)},
        "INIT": {short(r["name"]).upper(): tokens(c_init(table, r)) for r in growing(table) if there(r)},
    }


def record_difference(have, want):
    """The first field that differs."""
    for i in range(max(len(have), len(want))):
        a = have[i] if i < len(have) else "no more"
        b = want[i] if i < len(want) else "no more"
        if a != b:
            return f"field {i} is `{a}`, in the table `{b}`"
    return None


def compare(where, have, want):
    out = []
    for kind, table_has in want.items():
        for name in sorted(set(have[kind]) | set(table_has)):
            a = have[kind].get(name)
            b = table_has.get(name)
            if a == b:
                continue
            if a is None or b is None:
                out.append(f"{where}: {kind} {name} stands in {'the table' if a is None else 'the header'} only")
            elif kind == "record":
                out.append(f"{where}: {name}: {record_difference(a, b)}")
            else:
                out.append(f"{where}: {kind} {name} is `{a}`, in the table `{b}`")
    return out


def header_faults(table, root):
    texts = {name: (root / "include/ctconv" / name).read_text(encoding="utf-8") for name in HEADERS}
    have = seen("\n".join(texts.values()))
    version = [have["constant"].pop(name, "?") for name in VERSION]
    out = compare("include/ctconv", have, wanted(table, table["releases"][-1]))
    if ".".join(version[:2]) != table["releases"][-1]:
        out.append(f"include/ctconv: release {'.'.join(version[:2])}, the table's last is {table['releases'][-1]}")
    said = re.search(r"as first released:(.*?)\*/", texts["ctconv_types.h"], re.S)
    said = re.findall(r"\b([a-z_]+) (\d+)\b", said.group(1)) if said else []
    for record in table["records"]:
        size = (short(record["name"]), str(record["first_size"]))
        if size not in said:
            out.append(f"include/ctconv/ctconv_types.h: its first comment does not say `{' '.join(size)}`")
    return out


def frozen_faults(table, root):
    out = []
    for folder in sorted(path for path in (root / "tests/abi").iterdir() if re.fullmatch(r"\d+\.\d+", path.name)):
        have = seen("\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.h"))))
        for name in VERSION:
            have["constant"].pop(name, None)
        want = wanted(table, folder.name)
        del want["INIT"]  # a header's own business: it names the fields of its release
        out += compare(f"tests/abi/{folder.name}", have, want)
    return out


def wrapper_faults(table, root):
    path = "include/ctconv/ctconv.hpp"
    text = "".join((root / "include/ctconv" / name).read_text(encoding="utf-8") for name in WRAPPER)
    text = re.sub(r"//[^\n]*", "", text)
    out = []
    for f in table["functions"]:
        called = re.search(rf"\b{f['name']}\(", text) is not None
        if called != f.get("wrapped", True):
            out.append(f"{path}: {f['name']} is {'called' if called else 'not called'}; `wrapped` says other")
    for record, variable in (("ctconv_call", "c"), ("ctconv_grads", "g")):
        for field in next(r for r in table["records"] if r["name"] == record)["fields"][1:]:
            carried = re.search(rf"\b{variable}\.{field['name']} = ", text) is not None
            if not carried and field["name"] != "reserved":
                out.append(f"{path}: a call does not carry {record}.{field['name']}")
    known = {name for name, *_ in constants(table)} | {row[0] for row in table["rows"]}
    known |= {f"CTCONV_{short(r['name']).upper()}_INIT" for r in growing(table)}
    known |= {"CTCONV_HPP_", "CTCONV_TENSOR_HPP_", "CTCONV_STREAM_HPP_"}
    unknown = set(re.findall(r"\bCTCONV_[A-Z0-9_]+\b", text)) - known
    return out + [f"{path}: {name} is not in the table" for name in sorted(unknown)]


def binding_faults(table, root):
    path = "bindings/python/ctconv/_options.py"
    text = (root / path).read_text(encoding="utf-8")
    options = next(r for r in table["records"] if r["name"] == "ctconv_options")
    out = []
    for field in options["fields"][1:]:
        name = field["name"]
        carried = re.search(rf"\brecord\.{name}\b", text) is not None
        if carried != (field.get("bound", True) and not name.startswith("reserved")):
            out.append(f"{path}: ctconv_options.{name} is {'set' if carried else 'not set'}; `bound` says other")
    path = "bindings/python/ctconv/_layer.py"
    text = "".join((root / f"bindings/python/ctconv/{name}.py").read_text(encoding="utf-8") for name in CALL_IN_PYTHON)
    call = next(r for r in table["records"] if r["name"] == "ctconv_call")
    for field in call["fields"][1:]:
        name = field["name"]
        if field.get("bound", True) and not re.search(rf'\bcall\.{name}\b|\("{name}", ', text):
            out.append(f"{path}: a call does not carry ctconv_call.{name}")
    return out


def filled_faults(table, root):
    out = []
    for record in (r for r in table["records"] if r["name"] in FILLED):
        for path, pattern in FILLED[record["name"]]:
            text = re.sub(r"//[^\n]*", "", (root / path).read_text(encoding="utf-8"))
            left = LEFT_OUT[record["name"]] | (NOT_IN_GO if "/go/" in path else set())
            for name in (f["name"] for f in record["fields"][1:] if not f["name"].startswith("reserved")):
                if (re.search(pattern.format(name), text) is None) != (name in left):
                    said = "filled, but LEFT_OUT names it" if name in left else "not filled"
                    out.append(f"{path}: {record['name']}.{name} is {said}")
    return out


def growth_faults(table, root):
    path = "tests/abi/CMakeLists.txt"
    listed = re.search(r"ctconv_\(([a-z|_]+)\)", (root / path).read_text(encoding="utf-8"))
    listed = set(listed.group(1).split("|")) if listed else set()
    want = {short(r["name"]) for r in growing(table)}
    return [f"{path}: ctconv_{name} grows, but is not tested as grown" for name in sorted(want - listed)] + [
        f"{path}: ctconv_{name} does not grow" for name in sorted(listed - want)
    ]


def faults(table, root):
    return (
        header_faults(table, root)
        + frozen_faults(table, root)
        + wrapper_faults(table, root)
        + binding_faults(table, root)
        + filled_faults(table, root)
        + growth_faults(table, root)
    )
