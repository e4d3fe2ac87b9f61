# SPDX-License-Identifier: Apache-2.0
"""Where mutants go: one small change to a source at a time, all of them in one text, each switched on by its number.

In:   C++ as clang-format lays it out: white space stands around an operator of two operands, and nowhere else
Out:  Mutant: its number, file, line, what is changed; written(): the text with the mutants (tests/mutants/mutants.h)
Rule: OPERATORS says what is done to a comparison or to arithmetic. Beside them: one side of && or || left out, ! left
      out, an `if` or a condition of ?: turned round, a number one larger and one smaller, the other bool, a check that
      is not asked, another answer, an assignment or a call left out, a status, a Check or a Dtype replaced by another.
      Text in quotes, comments, what the preprocessor reads and constant expressions stay as they are; so do template
      arguments and `case` labels. TABLES are read at run time only: their `constexpr` becomes `const`.
      Two mutants that mean the same are one: the left of the second && is the right of the first.
"""

import collections
import concurrent.futures
import re
import sys

BLANK = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\])'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*""", re.M)
OPERATORS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
OPERATORS |= {"+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "%": ("*",)}
TAGS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
TAGS |= {"+": "add", "-": "sub", "*": "mul", "/": "div", "%": "rem"}
INFIX = re.compile(r"(?<=\s)(<=|>=|==|!=|<|>|&&|\|\||\+|-|\*|/|%)(?=\s)")
NUMBER = re.compile(r"(?<![\w.'])\d+(?:\.\d+)?(?![\w.'])")
OTHERS = re.compile(r"\b(Check|Dtype)::(k\w+)")
TABLES = "ArgumentRow|NamedActivation|DialectVersion|Check|double|uint32_t"
TABLES = re.compile(rf"^(\s*(?:static )?)constexpr( (?:{TABLES}) )", re.M)
STATEMENT = re.compile(r"\*?[A-Za-z_][\w.:\->\[\]]*(?: [-+*/]?= |\()")
KEYWORDS = (
    "return if for while switch case break continue using namespace const constexpr static auto struct class enum"
)
KEYWORDS = set((KEYWORDS + " template else default static_assert extern public private typename inline void").split())
OPERAND = r"(?:(?<=[^=!<>]= )|(?<=\()|(?<=return )|(?<=, )|(?<=\{)|(?<= : )|(?<= \? ))"
OPERAND = re.compile(OPERAND + r"[A-Za-z_][\w.\->:]*(?:\([^()]*\))?(?= \? )")
APART = 12  # lines between two complaints that are not one
DEPTH = {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}

Mutant = collections.namedtuple("Mutant", "id place file line what text count once")
# place: the id of the first at its place; count: the n-th of its file with this change and this text of the line; once:
# in a static
Place = collections.namedtuple("Place", "whats pieces")  # pieces: (at, end, text), {0} and {1} are the numbers


def blanks(m):
    return re.sub(r"[^\n]", " ", m.group())


def closing(code, at):
    """Behind the bracket that closes the one before `at`."""
    depth = 1
    while depth:
        depth += DEPTH.get(code[at], 0)
        at += 1
    return at


def code_of(text):
    """The text in which only what may change is left, all else is blank."""
    code = BLANK.sub(blanks, text)
    code = TABLES.sub(lambda m: m.group(1) + "const    " + m.group(2), code)
    code = re.sub(r"\bcase\b(?:[^:]|::)*:(?!:)", blanks, code)
    for m in list(re.finditer(r"\bstatic_assert\b|(?<!if )\bconstexpr\b|\bif constexpr \(", code)):
        at, depth = m.end(), m.group().endswith("(")
        while depth or code[at] not in ";{":
            depth += DEPTH.get(code[at], 0)
            at += 1
            if m.group().endswith("(") and depth == 0:
                break
        if code[at] == "{":
            at = closing(code, at + 1)
        code = code[: m.end()] + re.sub(r"[^\n]", " ", code[m.end() : at]) + code[at:]
    return code


def first_of_its_chain(code, at, op):
    """Whether no other && (or ||) stands before this one in the same expression."""
    depth = 0
    while at:
        at -= 1
        depth -= DEPTH.get(code[at], 0)
        two = code[at - 1 : at + 1]
        if depth == 0 and two == op:
            return False
        if depth < 0 or two in ("&&", "||") or (depth == 0 and code[at] in ";{},=?"):
            if two not in ("==", "!=", ">=", "<="):
                return True
    return True


def statements(code):
    """(begin, end) of assignments and calls that are statements: end is the semicolon's place."""
    for m in re.finditer(r"(?<=[;{})])\s+|(?<=\belse )", code):
        at = m.end()
        found = STATEMENT.match(code, at)
        line = code[code.rfind("\n", 0, at) + 1 : at]
        inside = line.count("(") > line.count(")") or line.rstrip().endswith("}")  # a for's head, an enumeration's end
        if not found or inside or re.match(r"\w*", code[at:]).group() in KEYWORDS or code.startswith("CTCONV", at):
            continue
        if re.match(r"\w+\(const ", code[at:]):  # a constructor's declaration
            continue
        end, depth, before = at, 0, code[: m.start()]
        if before.endswith(")") and not re.search(r"\b(?:if|for|while|switch) \($", before[: opening(before)]):
            continue
        while depth or code[end] not in ";{}":
            depth += DEPTH.get(code[end], 0)
            end += 1
            if depth == 0 and code[end - 2 : end + 1] == "= {":
                end = closing(code, end + 1)
        if code[end] == ";" and "[] =" not in code[at:end]:
            yield at, end


def opening(before):
    """Behind the bracket that the last character closes."""
    at, depth = len(before) - 1, 1
    while depth:
        at -= 1
        depth -= DEPTH.get(before[at], 0)
    return at + 1


def conditions(code):
    for m in re.finditer(r"\breturn (?=[^{;\[])(?!true;|false;|nullptr;|\d+;)", code):
        yield Place(["another answer"], [(m.end(), m.end(), "::mutants::answer({0}), ")])
    for m in re.finditer(r"\bCTCONV_RETURN_IF_ERROR\(", code):
        yield Place(["not asked"], [(m.end(), m.end(), "::mutants::on({0}) ? ::ctconv::Status() : ")])
    for at, end in statements(code):
        yield Place(["left out"], [(at, at, "::mutants::on({0}) ? void() : void("), (end, end, ")")])
    for m in re.finditer(r"\bif \(", code):
        end = closing(code, m.end()) - 1
        condition = code[m.end() : end]
        ways = len(INFIX.findall(condition)) or condition.startswith("!")  # one way: that one is turned round itself
        if ";" not in condition and not re.match(r"(const|auto) ", condition) and ways != 1:
            yield Place(["if turned round"], [(m.end(), m.end(), "::mutants::on({0}) != !!("), (end, end, ")")])
    for m in OPERAND.finditer(code):
        turned = [(m.start(), m.start(), "(::mutants::on({0}) != !!("), (m.end(), m.end(), "))")]
        yield Place(["? turned round"], turned)
    for m in re.finditer(r"(?<=[\s(])!(?=[\w(])", code):
        yield Place(["! left out"], [(m.start(), m.end(), "::mutants::no({0})->*")])


def places(text):
    code = code_of(text)
    yield from conditions(code)
    for m in INFIX.finditer(code):
        op = m.group()
        if op in OPERATORS:
            tag = f"{op} ::mutants::{TAGS[op]}({{0}}) {op}"
            yield Place([f"{op} becomes {other}" for other in OPERATORS[op]], [(m.start(), m.end(), tag)])
            continue
        name, bar = ("all", "&") if op == "&&" else ("any", "|")
        yield Place([f"{op} without its right"], [(m.end(), m.end(), f" ::mutants::{name}({{0}}) {bar}")])
        if first_of_its_chain(code, m.start(), op):
            yield Place([f"{op} without its left"], [(m.start(), m.start(), f"{bar} ::mutants::{name}({{0}}) ")])
    for m in NUMBER.finditer(code):
        number = f"::mutants::number({{0}}, {m.group()})"
        yield Place([f"{m.group()} one larger", f"{m.group()} one smaller"], [(m.start(), m.end(), number)])
    for m in re.finditer(r"\b(true|false)\b", code):
        yield Place([f"not {m.group()}"], [(m.start(), m.end(), f"::mutants::flag({{0}}, {m.group()})")])
    for m in re.finditer(r"\bCode::[A-Z]\w+", code):
        other = f"::mutants::other({{0}}, {m.group()}, Code::INTERNAL)"
        yield Place([f"INTERNAL instead of {m.group()[6:]}"], [(m.start(), m.end(), other)])
    names = list(OTHERS.finditer(code))
    for n, m in enumerate(names):
        near = [o.group() for o in names[max(0, n - 1) : n] + names[n + 1 : n + 2] if o.group(1) == m.group(1)]
        if near and near[0] != m.group():
            other = f"::mutants::other({{0}}, {m.group()}, {near[0]})"
            yield Place([f"{near[0]} instead of {m.group()}"], [(m.start(), m.end(), other)])


def statics(code):
    """(begin, end) of statics in functions: they are evaluated once, in whichever test comes first."""
    for m in re.finditer(r"\bstatic (?!assert)", code):
        end, depth = m.end(), 0
        while depth or code[end] != ";":
            depth += DEPTH.get(code[end], 0)
            end += 1
        yield m.start(), end


def mutants_of(file, text, first):
    """The mutants of one file, numbered from `first`, and its pieces: (at, end, order, id, text)."""
    once, counts = list(statics(code_of(text))), collections.Counter()
    found, pieces, lines = [], [], text.split("\n")
    for order, place in enumerate(sorted(places(text), key=lambda p: p.pieces[0][0])):
        number, at = first + len(found), place.pieces[0][0]
        line, is_once = text.count("\n", 0, at) + 1, any(a <= at < b for a, b in once)
        for n, what in enumerate(place.whats):
            words = lines[line - 1].strip()
            counts[words, what] += 1
            found.append(Mutant(number + n, number, file, line, what, words, counts[words, what], is_once))
        for n, (begin, end, new) in enumerate(place.pieces):
            pieces.append((begin, end, -order if n else order, number, new.format(number)))
    return found, sorted(pieces)


def written(text, pieces, dropped):
    """The text with its mutants but for the dropped ones; and where each line's are: {line: [(column, id)]}."""
    out, last, where = [], 0, collections.defaultdict(list)
    line, column = 1, 1
    for at, end, _, number, new in pieces:
        if number in dropped:
            continue
        before = text[last:at]
        out += [before, new]
        line += before.count("\n")
        column = len(before) - before.rfind("\n") if "\n" in before else column + len(before)
        where[line].append((column, number))
        column += len(new)
        last = end
    out.append(text[last:])
    return TABLES.sub(r"\1const\2", "".join(out)), where


class Copies:
    """The sources with all mutants in them, below `folder`; compile(file) answers what the compiler says."""

    def __init__(self, root, folder, files):
        self.texts = {file: (root / file).read_text(encoding="utf-8") for file in files}
        self.folder, self.mutants, self.pieces, self.where, self.dropped = folder, [], {}, {}, set()
        for file, text in self.texts.items():
            found, self.pieces[file] = mutants_of(file, text, len(self.mutants) + 1)
            self.mutants += found

    def write(self, file):
        text, self.where[file] = written(self.texts[file], self.pieces[file], self.dropped)
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")

    def write_all(self):
        for file in self.texts:
            self.write(file)

    def blamed(self, said):
        """The mutants at places in the copies that the compiler complains of; what follows soon may be the
        consequence of that and waits for the next try."""
        last = {}
        for file, line, column in re.findall(rf"{re.escape(str(self.folder))}/([\w/.]+):(\d+):(\d+): error", said):
            marks = self.where.get(file, {}).get(int(line))
            if marks and abs(int(line) - last.get(file, -APART)) >= APART:
                last[file] = int(line)
                before = [mark for mark in marks if mark[0] <= int(column)]
                yield file, (before or marks[:1])[-1][1]

    def settle(self, check, compiled, jobs):
        """Writes the copies and leaves out what no compiler takes, until check(file) has nothing to say."""
        self.write_all()
        todo = list(compiled)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            while todo:
                said = dict(zip(todo, pool.map(check, todo)))
                wrong = {found for text in said.values() for found in self.blamed(text)}
                headers = {found for found in wrong if found[0].endswith(".h")}
                wrong = headers or wrong  # a header first: what else is wrong may follow from it
                if any(said.values()) and not wrong:
                    sys.exit("mutate: the compiler blames no mutant:\n" + "\n".join(said.values())[:4000])
                self.dropped |= {number for _, number in wrong}
                for file in {file for file, _ in wrong}:
                    self.write(file)
                todo = [file for file, text in said.items() if text]

    def built(self):
        return [mutant for mutant in self.mutants if mutant.place not in self.dropped]
