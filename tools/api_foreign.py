# SPDX-License-Identifier: Apache-2.0
"""What follows from the table of the C ABI in Rust and Go, written out.

In:   the table (api_table.py)
Out:  files(table): {path: text} of
        bindings/rust/ctconv-sys/src/abi.rs         records, numbers and functions, laid out as C does
        bindings/rust/ctconv-sys/tests/records.inc   the names that the layout test compares with C
        bindings/rust/ctconv/src/status.rs          the statuses under their names
        bindings/go/abi.go                          sizes, offsets and numbers held against the header by the compiler
        bindings/go/status.go                       the statuses under their names
"""

import re

from api_table import constants
from api_writers import NOTE, SPDX, wrapped

WIDTH = 110
RUST = {
    "char": "c_char",
    "uint8_t": "u8",
    "uint16_t": "u16",
    "int32_t": "i32",
    "ctconv_status": "ctconv_status",
    "int64_t": "i64",
    "uint64_t": "u64",
    "size_t": "usize",
    "double": "f64",
    "void": "c_void",
}


def rust_type(entry):
    if "callback" in entry:
        return f"Option<ctconv_{entry['callback']}_fn>"
    spelt = entry["type"]
    base = re.sub(r"\bconst\b|\bstruct\b|[\s*]", "", spelt)
    out = RUST.get(base, base)
    for star in range(spelt.count("*")):
        out = ("*const " if star == 0 and spelt.startswith("const") else "*mut ") + out
    if "count" in entry:
        out = f"[{out}; {entry['count']}]"
    return out


def rust_number_type(name):
    """The type of the fields that hold a constant."""
    if name == "CTCONV_MAX_NDIM":
        return "usize"
    return "u8" if name.startswith("CTCONV_DTYPE_") else "i32"


def rust_init(record):
    """CTCONV_..._INIT, as the header's macro fills the record."""
    out = []
    for field in record["fields"]:
        if field["name"] == "struct_size":
            value = f"std::mem::size_of::<{record['name']}>()"
        elif "callback" in field:
            value = "None"
        elif "*" in field["type"]:
            value = "std::ptr::null()" if field["type"].startswith("const") else "std::ptr::null_mut()"
        elif "count" in field:
            value = f"[0; {field['count']}]"
        else:
            value = str(field.get("init", "0.0" if field["type"] == "double" else 0))
        out.append(f"    {field['name']}: {value},")
    name = record["name"].upper() + "_INIT"
    return [f"/// As C's `{name}`.", f"pub const {name}: {record['name']} = {record['name']} {{", *out, "};"]


def rust_record(record):
    out = ["", f"/// {record['doc']}", "#[repr(C)]", "#[derive(Clone, Copy, Debug)]", f"pub struct {record['name']} {{"]
    for field in record["fields"]:
        out += [f"    /// {field['doc']}", f"    pub {field['name']}: {rust_type(field)},"]
    out += ["}", f"const _: () = assert!(std::mem::size_of::<{record['name']}>() == {record['size']});"]
    return out + (rust_init(record) if record["grows"] else [])


def rust_prototype(name, function):
    """`name(a: T, ...) -> R`, over several lines where one is too long."""
    args = [f"{a['name']}: {rust_type(a)}" for a in function["args"]]
    returns = "" if function["returns"] == "void" else f" -> {rust_type({'type': function['returns']})}"
    line = f"{name}({', '.join(args)}){returns}"
    if len(line) > WIDTH:
        line = f"{name}(\n" + "".join(f"        {a},\n" for a in args) + f"    ){returns}"
    return line


def rust_function(function):
    line = rust_prototype(f"pub fn {function['name']}", function)
    return [f"    /// {function['doc']} (since {function['since']})", f"    {line};"]


def rust_abi(table):
    out = [
        f"// {SPDX}",
        f"// {NOTE}",
        "",
        "use std::os::raw::{c_char, c_void};",
        "",
        "/// A status: 0, or one of `CTCONV_ERR_...`; kind = status / 1000.",
        "pub type ctconv_status = i32;",
        "",
    ]
    for name, value, _, _, doc in constants(table):
        out += [f"/// {doc}", f"pub const {name}: {rust_number_type(name)} = {value};"]
    for name, number, text, _ in table["rows"]:
        out += [f"/// {text}", f"pub const {name}: ctconv_status = {number};"]
    for handle in table["handles"]:
        out += [
            "",
            f"/// {handle['doc']}",
            "#[repr(C)]",
            f"pub struct {handle['name']} {{",
            "    _opaque: [u8; 0],",
            "}",
        ]
    for hook in table["callbacks"]:
        line = rust_prototype(f'pub type ctconv_{hook["name"]}_fn = unsafe extern "C" fn', hook)
        out += ["", f"/// {hook['doc']}", f"{line};"]
    for record in table["records"]:
        out += rust_record(record)
    out += ["", 'extern "C" {']
    for function in table["functions"]:
        out += rust_function(function)
    return "\n".join([*out, "}", ""])


def rust_records(table):
    """One call of a macro; tests/layout.rs says what it makes of it."""
    out = [f"/* {SPDX} */", f"// {NOTE}", "each! {", "    records {"]
    for record in table["records"]:
        head = f"        {record['name']} grows {str(record['grows']).lower()} {{"
        out.append(wrapped(head, [f["name"] for f in record["fields"]], " }", 12))
    out += ["    }", "    numbers {"]
    out += [f"        {name}" for name, *_ in constants(table)] + [f"        {row[0]}" for row in table["rows"]]
    return "\n".join([*out, "    }", "}", ""])


def bare(name):
    """CTCONV_ERR_VALUE_STRIDE is VALUE_STRIDE."""
    return name[len("CTCONV_ERR_") :] if name.startswith("CTCONV_ERR_") else name[len("CTCONV_") :]


def rust_status(table):
    out = [f"// {SPDX}", f"// {NOTE}", "use crate::Status;", "", "impl Status {"]
    for name, number, text, _ in table["rows"]:
        out += [f"    /// {text}", f"    pub const {bare(name)}: Status = Status({number});"]
    return "\n".join([*out, "}", ""])


def camel(name):
    """VALUE_STRIDE is ValueStride."""
    return "".join(part.capitalize() for part in name.split("_"))


def go_abi(table):
    out = [
        f"// {SPDX}",
        f"// {NOTE}",
        "//",
        "// What the installed header says, held against the table: an index other than 0 or a uint below 0 does not",
        "// compile.",
        "// A record that grows may be larger than here; its known fields stay where they are.",
        "",
        "package ctconv",
        "",
        "// #include <ctconv/ctconv.h>",
        'import "C"',
        "",
        'import "unsafe"',
        "",
        "var zero [1]struct{}",
    ]
    for record in table["records"]:
        name, size = record["name"], record["size"]
        out += ["", f"// {name}: {record['doc']}", ""]
        least = [f"const _ uint = C.sizeof_{name} - {size}", ""]
        out += least if record["grows"] else [f"var _ = zero[C.sizeof_{name}-{size}]"]
        for field in record["fields"]:
            spelt = "_" + field["name"] if field["name"] in ("range", "type", "func") else field["name"]
            out.append(f"var _ = zero[unsafe.Offsetof(C.{name}{{}}.{spelt})-{field['offset']}]")
    out += ["", "// Numbers.", ""]
    out += [f"var _ = zero[C.{name}-{value}]" for name, value, *_ in constants(table)]
    out += [f"var _ = zero[C.{name}-{number}]" for name, number, *_ in table["rows"]]
    return "\n".join(out) + "\n"


def go_status(table):
    out = [
        f"// {SPDX}",
        f"// {NOTE}",
        "",
        "package ctconv",
        "",
        "// The statuses of the library, for errors.Is.",
        "const (",
    ]
    rows = [(f"Status{camel(bare(name))}", number, text) for name, number, text, _ in table["rows"]]
    for name, number, text in rows:
        out += [f"\t// {text}", f"\t{name} Status = {number}"]
    return "\n".join([*out, ")", ""])


def files(table):
    return {
        "bindings/rust/ctconv-sys/src/abi.rs": rust_abi(table),
        "bindings/rust/ctconv-sys/tests/records.inc": rust_records(table),
        "bindings/rust/ctconv/src/status.rs": rust_status(table),
        "bindings/go/abi.go": go_abi(table),
        "bindings/go/status.go": go_status(table),
    }
