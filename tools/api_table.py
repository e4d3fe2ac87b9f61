# SPDX-License-Identifier: Apache-2.0
"""The table of the C ABI, read and judged.

In:   capi/api.json, src/dialect/errors.tsv, a root folder
Out:  read(root): the table with statuses beside it; faults(table): one line per contradiction inside it; and what
      the writers (api_writers.py) and the readers of headers (api_headers.py) ask: types, sizes, releases, constants
Rule: names are unique; releases are known; offsets follow from the types by C's natural alignment, no padding between
      fields; a record that grows begins with struct_size, and its first_size is where its first release ends; fields
      of a later release stand behind those of an earlier; a frozen record has no later field
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
BYTES = {
    "char": 1,
    "uint8_t": 1,
    "uint16_t": 2,
    "int32_t": 4,
    "ctconv_status": 4,
    "int64_t": 8,
    "uint64_t": 8,
    "size_t": 8,
    "double": 8,
}
POINTER = 8  # every target has 64 bits


def statuses(root, table):
    """Rows of errors.tsv as (name, number, text, since)."""
    out = []
    later = {name: release for release, names in table["statuses"]["later"].items() for name in names}
    for line in (root / table["statuses"]["table"]).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            number, name, text = line.split("\t")
            full = "CTCONV_OK" if name == "OK" else "CTCONV_ERR_" + name
            out.append((full, int(number), text, later.get(full, table["statuses"]["since"])))
    return out


def read(root=ROOT):
    table = json.loads((root / "capi/api.json").read_text(encoding="utf-8"))
    table["rows"] = statuses(root, table)
    return table


def release(text):
    """ "0.10" as (0, 10), so that releases compare."""
    major, minor = text.split(".")
    return int(major), int(minor)


def since(entry, parent=None):
    return entry.get("since") or parent["since"]


def constants(table):
    """(name, number, since, name in Python, doc) of every constant but the statuses."""
    out = [(m["name"], m["value"], m["since"], m["python"], m["doc"]) for m in table["macros"]]
    for group in table["constants"]:
        for m in group["members"]:
            python = group["python"] + m["name"]
            out.append((group["name"] + m["name"], m["value"], since(m, group), python, m["doc"]))
    return out


def count(table, field):
    """Elements of a field: 1, or the length of its array."""
    given = field.get("count", 1)
    return next(m["value"] for m in table["macros"] if m["name"] == given) if isinstance(given, str) else given


def element_bytes(field):
    return POINTER if "callback" in field or "*" in field["type"] else BYTES[field["type"]]


def end_of(table, field):
    return field["offset"] + element_bytes(field) * count(table, field)


def callback(table, name):
    return next(c for c in table["callbacks"] if c["name"] == name)


def growing(table):
    return [r for r in table["records"] if r["grows"]]


def short(name):
    """ctconv_options is options."""
    return name[len("ctconv_") :]


def c_parameter(table, entry, named=True):
    """A field or an argument as C declares it."""
    name = entry["name"] if named else ""
    if "callback" in entry:
        hook = callback(table, entry["callback"])
        inner = ", ".join(c_parameter(table, a, named) for a in hook["args"])
        return f"{hook['returns']} (*{name})({inner})".replace("* (*", "*(*")
    spelt = entry["type"]
    if named:
        spelt += name if spelt.endswith("*") else " " + name
        if "count" in entry:
            spelt += f"[{entry['count']}]"
    return spelt


def c_prototype(table, function, named=True):
    """ctconv_status ctconv_execute(const ctconv_op *op, ...), as the header has it."""
    inner = ", ".join(c_parameter(table, a, named) for a in function["args"]) or "void"
    return f"{function['returns']} {function['name']}({inner})".replace("* ctconv", "*ctconv")


def c_init(table, record):
    """What CTCONV_<NAME>_INIT expands to."""
    out = []
    for field in record["fields"]:
        if field["name"] == "struct_size":
            out.append(f"sizeof({record['name']})")
        elif "callback" in field or "*" in field["type"]:
            out.append("NULL")
        elif "count" in field:
            out.append("{0}")
        else:
            out.append(str(field.get("init", 0.0 if field["type"] == "double" else 0)))
    return "{" + ", ".join(out) + "}"


def twice(names):
    return [f"{name}: twice in the table" for name in sorted({n for n in names if names.count(n) > 1})]


def record_faults(table, record):
    out, at, widest, last = [], 0, 1, release(record["since"])
    name = record["name"]
    first_end = None
    for field in record["fields"]:
        size = element_bytes(field)
        widest = max(widest, size)
        appeared = release(since(field, record))
        if at % size:
            out.append(f"{name}.{field['name']}: {-at % size} bytes of padding before it: name them")
        at += -at % size
        if field["offset"] != at:
            out.append(f"{name}.{field['name']}: offset {field['offset']} in the table, {at} by its types")
        if appeared < last:
            out.append(f"{name}.{field['name']}: of an earlier release than the field before it")
        if appeared > release(record["since"]):
            if not record["grows"]:
                out.append(f"{name}.{field['name']}: a frozen record has no later field")
            first_end = at if first_end is None else first_end
        last = max(last, appeared)
        at += size * count(table, field)
    if at % widest or record["size"] != at:
        out.append(f"{name}: size {record['size']} in the table, {at} by its fields, aligned to {widest}")
    if record["first_size"] != (at if first_end is None else first_end):
        out.append(f"{name}: first_size {record['first_size']} is not where its first release ends")
    if record["grows"] != (record["fields"][0]["name"] == "struct_size"):
        out.append(f"{name}: a record grows if and only if it begins with struct_size")
    return out + twice([f"{name}.{field['name']}" for field in record["fields"]])


def types_of(table):
    """Every (place, type) the table speaks of."""
    for record in table["records"]:
        yield from ((f"{record['name']}.{f['name']}", f) for f in record["fields"])
    for function in table["functions"] + table["callbacks"]:
        yield function["name"], {"type": function["returns"]}
        yield from ((f"{function['name']}.{a['name']}", a) for a in function["args"])


def faults(table):
    known = set(table["releases"])
    names = [e["name"] for kind in ("macros", "handles", "records", "functions") for e in table[kind]]
    names += [name for name, *_ in constants(table)[len(table["macros"]) :]] + [row[0] for row in table["rows"]]
    out = twice(names) + twice([python for *_, python, _ in constants(table)])
    said = {name for names_of in table["statuses"]["later"].values() for name in names_of}
    out += [f"statuses.later: {name} is no status" for name in sorted(said - {row[0] for row in table["rows"]})]
    if table["releases"] != sorted(known, key=release):
        out.append("releases: not in their order")
    dated = [(e["name"], since(e)) for kind in ("handles", "records", "functions") for e in table[kind]]
    dated += [(name, appeared) for name, _, appeared, *_ in constants(table)]
    dated += [(name, appeared) for name, _, _, appeared in table["rows"]]
    dated += [(f"{r['name']}.{f['name']}", since(f, r)) for r in table["records"] for f in r["fields"]]
    out += [f"{name}: release {appeared} is not in releases" for name, appeared in dated if appeared not in known]
    ours = {e["name"] for kind in ("handles", "records") for e in table[kind]}
    hooks = {c["name"] for c in table["callbacks"]}
    for place, entry in types_of(table):
        if "callback" in entry:
            if entry["callback"] not in hooks:
                out.append(f"{place}: no callback is named {entry['callback']}")
            continue
        base = re.sub(r"\bconst\b|\bstruct\b|[\s*]", "", entry["type"])
        if base not in ours and base not in BYTES and base != "void":
            out.append(f"{place}: {base} is no type of the table")
        for flag in ("null", "out"):
            if flag in entry and (entry[flag] is not True or "*" not in entry["type"]):
                out.append(f"{place}: {flag} is true or absent, and for pointers alone")
    if out:
        return out
    for record in table["records"]:
        out += record_faults(table, record)
    destroyed = {h["destroy"] for h in table["handles"]} - {f["name"] for f in table["functions"]}
    return out + [f"{name}: destroys a handle, but is no function of the table" for name in sorted(destroyed)]
