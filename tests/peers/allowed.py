# SPDX-License-Identifier: Apache-2.0
"""Every difference from a real package that is meant, with its reason. Nothing else passes.

In:  a case, what differs, both answers.   Out: the name of the rule that allows it, or None.
A rule is as narrow as it can be said; "section" is a section of the semantics the dialects are written from.
"""

from compare import KINDS, check_fault, ours, repaired
from wire import decode_all

RULES = []


def rule(name, *families, what):
    """Registers a predicate for dialects that begin with one of `families` and for the differences listed in `what`."""

    def register(function):
        RULES.append((name, families, what.split(", "), function))
        return function

    return register


def rule_for(case, what, mine, theirs):
    for name, families, kinds, allows in RULES:
        if what in kinds and case["dialect"].startswith(families) and allows(case, mine, theirs):
            return name
    return None


def says(theirs, *texts):
    return any(text in theirs["message"] for text in texts)


def kinds_of(theirs):
    return next((KINDS[c] for c in theirs["raised"] if c in KINDS), {1, 2, 3})


def has_bool(mine):
    return mine["value"] in ("True", "False") or "True" in mine["value"] or "False" in mine["value"]


def following(case, mine):
    """Our faults once the first, the second, ... is repaired."""
    for _ in range(3):
        case = repaired(case, mine)
        if case is None:
            return
        mine = ours(case)
        yield case, mine
        if "name" not in mine:
            return


# ---- the stages: arguments, then weight, then x (section 2)


@rule(
    "stages: an argument fault wins over a tensor fault, which the package reports first (section 2)", "", what="kind"
)
def _(case, mine, theirs):
    if check_fault(case) != mine["name"]:
        return False
    for fixed, second in following(case, mine):
        if "name" in second and check_fault(fixed) is None and second["kind"] in kinds_of(theirs):
            return True
    return False


@rule(
    "stages: output_padding is judged though output_size replaces it in the package (section 2)",
    "torch.",
    "paddle.nn.Conv",
    what="we refuse, kind",
)
def _(case, mine, theirs):
    if "OUTPUT_PADDING" not in mine["name"] or "output_size" not in case["call"] or mine["name"].endswith("RANGE"):
        return False
    return "raised" not in theirs or says(theirs, "output size", "output_size")


# ---- what no package checks and the library refuses (library rules of sections 1, 2, 7)


@rule("an extent or channel count of 0 is SHAPE_INPUT_EMPTY (section 1)", "", what="we refuse, kind")
def _(case, mine, theirs):
    return mine["name"] == "SHAPE_INPUT_EMPTY" and 0 in case["x_shape"]


@rule("a bool is never an int (section 2)", "", what="we refuse, kind")
def _(case, mine, theirs):
    return mine["kind"] == 1 and has_bool(mine)


# ---- two faults in one call: which is told first


PYTHON_SLIPS = (
    "unsupported operand type(s) for",
    "not supported between instances",
    "cast to ParamAttr",
    "unhashable type",
    "modulo by zero",
    "must be list of int, but got",
)


@rule(
    "two faults: a wrong type breaks the package's own arithmetic on its way to the documented check of the other one "
    "(section 7's order)",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    if says(theirs, "modulo by zero", "should not be zero") and not decode_all(case["args"]).get("groups", 1):
        return True
    return says(theirs, *PYTHON_SLIPS) and any(
        "name" in second and second["kind"] in kinds_of(theirs) for _, second in following(case, mine)
    )


@rule(
    "two faults: an entry that is not an int passes the package's own look at the form; "
    "it tells of padding before it trips over the entry",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["kind"] < 3 and any(
        "name" in second and second["name"].startswith("VALUE_PADDING") and says(theirs, "padding")
        for _, second in following(case, mine)
    )


@rule(
    "two faults: an argument or entry of a wrong type has its place in section 7's order; "
    "the package trips over it after its own checks",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["kind"] == 1 and any(
        "name" in second and second["kind"] == 2 and second["kind"] in kinds_of(theirs)
        for _, second in following(case, mine)
    )


@rule(
    "two faults: sizes below 1 are told before channels and group in the package's 1-D layer, "
    "after them in section 5's order",
    "mindspore.nn.Conv1d",
    what="kind",
)
def _(case, mine, theirs):
    if not mine["name"].endswith(("CHANNELS", "GROUPS")):
        return False
    sizes = ("VALUE_KERNEL_SIZE", "VALUE_STRIDE", "VALUE_DILATION")
    return says(theirs, "kernel_size", "stride", "dilation") and any(
        second.get("name") in sizes for _, second in following(case, mine)
    )


@rule(
    "two faults: output_padding's range is judged with the arguments; the package looks at it in the call (section 5)",
    "mindspore.nn.Conv2d",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"].startswith("VALUE_OUTPUT_PADDING") and any(
        "name" in second and second["kind"] in kinds_of(theirs) for _, second in following(case, mine)
    )


# ---- torch


@rule(
    "core 0: torch answers an empty tensor through oneDNN and refuses through its own kernels; "
    "SHAPE_OUTPUT_EMPTY here (section 1)",
    "torch.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "SHAPE_OUTPUT_EMPTY" and 0 in theirs["shape"]


@rule(
    "a sequence of one stands for all axes (section 6); the package's output_size arithmetic runs past its end",
    "torch.",
    what="they refuse",
)
def _(case, mine, theirs):
    args = decode_all(case["args"])
    short = any(
        isinstance(args.get(n), (tuple, list)) and len(args[n]) == 1
        for n in ("stride", "padding", "dilation", "output_padding")
    )
    return theirs["raised"][0] == "IndexError" and short and "output_size" in case["call"]


@rule(
    "two faults: channels of a wrong type skip the divisibility test (section 6), "
    "so the other channels' fault is told; the package trips over them",
    "torch.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"].endswith("CHANNELS_GROUPS") and says(theirs, "unsupported operand type(s) for %")


@rule(
    "two faults: a wrong type or entry is told with the arguments; "
    "the package's output_size arithmetic first runs past a short sequence",
    "torch.",
    what="kind",
)
def _(case, mine, theirs):
    return (
        theirs["raised"][0] == "IndexError"
        and "output_size" in case["call"]
        and any(second.get("name", "").endswith("_LENGTH") for _, second in following(case, mine))
    )


@rule(
    "in_channels or out_channels not an int: TypeError, the divisibility test is skipped (section 6)",
    "torch.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"] in ("TYPE_IN_CHANNELS", "TYPE_OUT_CHANNELS") and says(theirs, "must be divisible by groups")


@rule("groups not an int: TypeError in its place (section 6); the package divides by it first", "torch.", what="kind")
def _(case, mine, theirs):
    return mine["name"] == "TYPE_GROUPS" and says(theirs, "must be divisible by groups")


@rule(
    "a size argument of a wrong type is judged with the arguments; "
    "the package computes output_size's window from it first (section 6)",
    "torch.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"] in ("TYPE_STRIDE", "TYPE_PADDING", "TYPE_DILATION", "TYPE_KERNEL_SIZE") and says(
        theirs, "requested an output size", "output_size must have"
    )


@rule(
    "an entry of output_size that is not an int is a TypeError before its window (section 6)",
    "torch.",
    what="kind, we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "TYPE_OUTPUT_SIZE"


@rule(
    "an empty batch or input hides element types and output_padding's limit from the package; "
    "they are judged all the same (section 6)",
    "torch.",
    "paddle.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] in ("TYPE_INPUT_DTYPE", "TYPE_DTYPE_MISMATCH", "VALUE_OUTPUT_PADDING_RANGE") and 0 in [
        *theirs["shape"],
        *case["x_shape"],
    ]


# ---- mindspore


@rule(
    "depth dilation other than 1: a limit of the package no document states (section 3)",
    "mindspore.",
    what="they refuse, kind",
)
def _(case, mine, theirs):
    return says(theirs, "the depth of parameter 'dilation' must be 1")


@rule(
    "output_padding >= stride: the package's CPU primitive fails, torch's numbers here (section 1)",
    "mindspore.",
    what="they refuse",
)
def _(case, mine, theirs):
    return (
        theirs["raised"][0] == "RuntimeError" and says(theirs, "could not create a primitive") and reaches_stride(case)
    )


@rule(
    "core 0: legal and empty (section 1); the package's CPU primitive fails for some", "mindspore.", what="they refuse"
)
def _(case, mine, theirs):
    return 0 in mine["shape"] and theirs["raised"][0] == "RuntimeError" and says(theirs, "could not create a primitive")


@rule(
    "core 0 with output_padding: zeros by section 5; the package pads an empty tensor and returns memory it never "
    "wrote",
    "mindspore.nn.Conv2d",
    what="values",
)
def _(case, mine, theirs):
    return "output_padding" in case["args"] and not mine["values"].any()


@rule(
    "Conv1dTranspose with has_bias dies inside the package after an earlier fault of its own (pyboost_squeeze)",
    "mindspore.nn.Conv1d",
    what="they refuse",
)
def _(case, mine, theirs):
    return theirs["raised"][0] == "SystemError" and says(theirs, "pyboost")


@rule(
    "weight dim 1 other than out_channel/group: silently used by the package (section 3)",
    "mindspore.ops",
    what="we refuse",
)
def _(case, mine, theirs):
    args = decode_all(case["args"])
    return mine["name"] == "VALUE_WEIGHT_SHAPE" and case["w_shape"][1] != args["out_channel"] // args.get("group", 1)


@rule(
    "x and weight must have in_channel channels (section 3); the package compares them with each other only",
    "mindspore.ops",
    what="we refuse",
)
def _(case, mine, theirs):
    return (
        mine["name"] in ("VALUE_INPUT_CHANNELS", "VALUE_WEIGHT_SHAPE")
        and case["w_shape"][0] == case["x_shape"][1] != decode_all(case["args"])["in_channel"]
    )


@rule(
    "in_channel not divisible by group is refused by the parameter text (section 3)", "mindspore.ops", what="we refuse"
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_IN_CHANNELS_GROUPS"


@rule("a tuple of the wrong length is a TypeError by the document (section 4)", "mindspore.nn.Conv3d", what="kind")
def _(case, mine, theirs):
    return (
        mine["name"] in ("TYPE_KERNEL_SIZE", "TYPE_STRIDE", "TYPE_DILATION", "TYPE_OUTPUT_PADDING")
        and "ValueError" in theirs["raised"]
        and says(theirs, "must be an positive integer or a tuple of three")
    )


@rule("an entry of output_padding that is not an int is a TypeError (section 5)", "mindspore.nn.Conv2d", what="kind")
def _(case, mine, theirs):
    return mine["name"] == "TYPE_OUTPUT_PADDING" and says(theirs, "output_padding")


@rule(
    "channels or group not an int: the package divides them first (section 4: TYPE_ rows)",
    "mindspore.nn.Conv3d",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"] in ("TYPE_IN_CHANNELS", "TYPE_OUT_CHANNELS", "TYPE_GROUPS") and says(
        theirs, "should be divisible", "ZeroDivision", "modulo by zero"
    )


@rule(
    "two faults: the package's first step divides by group and trips over channels or a group of a wrong type; "
    "here they have their own place (section 4)",
    "mindspore.nn.Conv3d",
    what="kind",
)
def _(case, mine, theirs):
    slips = (
        "unsupported operand type(s) for %",
        "not all arguments converted",
        "should be divisible",
        "modulo by zero",
    )
    return says(theirs, *slips) and any(
        type(decode_all(case["args"]).get(n, 1)) is not int for n in ("in_channels", "out_channels", "group")
    )


# ---- paddle


@rule(
    "output_padding >= stride: the package's CPU kernel fails, torch's numbers here (section 1)",
    "paddle.",
    what="they refuse",
)
def _(case, mine, theirs):
    return says(
        theirs, "mismatching", "inconsistent", "output_padding should not be greater than stride"
    ) and reaches_stride(case)


@rule(
    "core 0 with channels last or groups: legal and empty (section 1); the package's kernel fails for some",
    "paddle.",
    what="they refuse",
)
def _(case, mine, theirs):
    return 0 in mine["shape"] and says(
        theirs, "The input size should not be 0", "Expected rows != 0", "numel", "should be larger than 0"
    )


@rule(
    "a kernel, dilation or channel count below 1: the package does not check (library rule, section 7)",
    "paddle.",
    what="we refuse, kind",
)
def _(case, mine, theirs):
    return mine["name"] in (
        "VALUE_KERNEL_SIZE",
        "VALUE_DILATION",
        "VALUE_OUT_CHANNELS",
        "VALUE_IN_CHANNELS",
        "VALUE_GROUPS",
    ) and ("raised" not in theirs or theirs["raised"][0] == "Crash")


@rule(
    "core below 0: the package writes out of bounds or never returns; SHAPE_OUTPUT_EMPTY here (section 1)",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"] == "SHAPE_OUTPUT_EMPTY" and theirs["raised"][0] == "Crash"


@rule(
    "element types that differ: InvalidArgument in the package, which is a ValueError; "
    "TYPE_DTYPE_MISMATCH in every dialect (section 2)",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    return (
        mine["name"] in ("TYPE_DTYPE_MISMATCH", "TYPE_INPUT_DTYPE")
        and case["x_dtype"] != case["w_dtype"]
        and "ValueError" in theirs["raised"]
    )


@rule(
    "an empty batch hides output_size's window from the package; it is judged all the same (section 7)",
    "paddle.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_OUTPUT_SIZE_RANGE" and 0 in theirs["shape"][:1]


@rule(
    "a sequence as an entry: TYPE_ like every entry that is not an int (section 7); a ValueError in the package",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["kind"] == 1 and says(theirs, "including element") and mine["value"].startswith(("(", "["))


@rule(
    "a string as kernel_size, stride, dilation or output_padding is a ValueError (section 7); "
    "the 1-D functions trip over it with a TypeError",
    "paddle.nn.Conv1D",
    "paddle.nn.functional.conv1d",
    what="kind",
)
def _(case, mine, theirs):
    return (
        mine["name"] in ("VALUE_KERNEL_SIZE", "VALUE_STRIDE", "VALUE_DILATION", "VALUE_OUTPUT_PADDING")
        and mine["value"].startswith('"')
        and "TypeError" in theirs["raised"]
    )


@rule(
    "a bool in padding is no int, so an unknown form (section 7); the package passes it on to its kernel",
    "paddle.",
    what="kind, we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_PADDING_LENGTH" and has_bool(mine)


@rule("groups or num_filters not an int: TYPE_ (section 7); the package divides first", "paddle.", what="kind")
def _(case, mine, theirs):
    return mine["name"] in ("TYPE_GROUPS", "TYPE_OUT_CHANNELS") and says(
        theirs, "must be divisible by groups", "must be divisible by Attr(groups)"
    )


@rule(
    "input channels not divisible by groups: row 1 of the document; "
    "the static function builds a weight for them all the same and may die of it, or of a type its kernel lacks",
    "paddle.static",
    what="we refuse, kind",
)
def _(case, mine, theirs):
    if mine["name"] != "VALUE_IN_CHANNELS_GROUPS":
        return False
    raised = theirs.get("raised", ["Crash"])[0]
    return raised == "Crash" or (raised == "NotImplementedError" and case["x_dtype"] == "float16")


@rule(
    "a bias of one element is broadcast by the package; its shape is (Cout) (section 7)",
    "paddle.nn.functional",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "SHAPE_BIAS_SHAPE" and case["bias"] == 1


@rule("a parameter name may be used once in a process of the package", "paddle.", what="they refuse")
def _(case, mine, theirs):
    return says(theirs, "parameter name [")


@rule(
    "an empty sequence as bias_attr is false in Python; no attribute, so TYPE_BIAS (section 7)",
    "paddle.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "TYPE_BIAS" and mine["value"] in ("()", "[]")


@rule(
    "data_format that is no string: VALUE_DATA_FORMAT by row 2 of the document; the package hashes or concatenates it",
    "paddle.",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_DATA_FORMAT" and says(theirs, "unhashable", "can only concatenate str")


@rule("act that is no string: VALUE_ACT like every unknown activation (section 2)", "paddle.static", what="kind")
def _(case, mine, theirs):
    return mine["name"] == "VALUE_ACT" and says(theirs, "should be unicode or str")


@rule(
    "out_channels not divisible by groups: row 1 of the document; the package builds a smaller weight (section 7)",
    "paddle.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_OUT_CHANNELS_GROUPS"


@rule(
    "padding below 0 is refused (section 7, form 6); the static function lets an int through",
    "paddle.static",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_PADDING_NEGATIVE"


@rule(
    "output_size of a wrong type or length is a ValueError (section 7); "
    "where the kernel is derived from it the static function trips first",
    "paddle.static",
    what="kind",
)
def _(case, mine, theirs):
    return mine["name"] in ("VALUE_OUTPUT_SIZE_TYPE", "VALUE_OUTPUT_SIZE_LENGTH") and says(
        theirs, "not subscriptable", "unsupported operand"
    )


@rule(
    "two faults: output_size is refused when the weight's shape is asked, "
    "before any tensor's element type is judged (section 2)",
    "paddle.static",
    what="kind",
)
def _(case, mine, theirs):
    return (
        mine["name"] in ("VALUE_OUTPUT_SIZE_RANGE", "VALUE_KERNEL_SIZE")
        and case["x_dtype"] not in ("float32", "float64")
        and 1 in kinds_of(theirs)
    )


@rule(
    "an entry of padding that is not an int is an unknown form (section 7); the static function trips over it later",
    "paddle.static",
    what="kind",
)
def _(case, mine, theirs):
    return (
        mine["name"] == "VALUE_PADDING_LENGTH"
        and any(c in mine["value"] for c in ".\"")
        and "TypeError" in theirs["raised"]
    )


# ---- onnx


@rule("pads below 0: the runtime takes some (section 10: VALUE_PADDING_NEGATIVE)", "onnx.", what="we refuse")
def _(case, mine, theirs):
    return mine["name"] == "VALUE_PADDING_NEGATIVE"


@rule(
    "output_padding and output_shape together extend by the stride or more: the runtime's kernel fails, "
    "computed here (section 10)",
    "onnx.",
    what="they refuse",
)
def _(case, mine, theirs):
    return says(theirs, "inconsistent with input spatial dimensions", "convolution parameters") and (
        "output_shape" in case["args"] or reaches_stride(case)
    )


@rule(
    "output_shape below 1: the runtime takes it for not given; outside the window here (section 10)",
    "onnx.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"] == "VALUE_OUTPUT_SIZE_RANGE" and any(n < 1 for n in decode_all(case["args"])["output_shape"])


@rule(
    "output_shape with batch and channels in front: only spatial entries are documented (section 10); "
    "an untyped graph takes the last ones, a typed one refuses",
    "onnx.",
    what="we refuse",
)
def _(case, mine, theirs):
    return (
        mine["name"] == "VALUE_OUTPUT_SIZE_LENGTH"
        and not case["typed"]
        and len(decode_all(case["args"])["output_shape"]) == len(case["x_shape"])
    )


@rule(
    "an attribute of no entries has a wrong length (section 10); an untyped graph takes it for not given, "
    "a typed one refuses",
    "onnx.",
    what="we refuse",
)
def _(case, mine, theirs):
    return mine["name"].endswith("_LENGTH") and mine["value"] == "()" and not case["typed"]


def reaches_stride(case):
    """Whether output_padding is at least the stride on some axis."""
    args = decode_all(case["args"])

    def axes(name, default):
        v = args.get(name, default)
        return [v] * 3 if isinstance(v, int) else list(v)

    extra, stride = axes("output_padding", 0), axes("strides" if "strides" in args else "stride", 1)
    return any(e >= s for e, s in zip(extra, stride))


# ---- keras


@rule("keras: what is no int breaks the package's own comparison (section 11: a ValueError)", "keras.", what="kind")
def _(case, mine, theirs):
    return mine["kind"] == 2 and "legal: an int" in mine["message"] and says(theirs, *PYTHON_SLIPS)


@rule("keras: a bool is never an int (section 2); here a ValueError (section 11)", "keras.", what="we refuse, kind")
def _(case, mine, theirs):
    return mine["kind"] == 2 and has_bool(mine)


@rule("keras: a float is never an int (section 2); 1.0 passes the package's comparisons", "keras.", what="we refuse")
def _(case, mine, theirs):
    return mine["kind"] == 2 and "is a float" in mine["message"] and "legal: an int" in mine["message"]


@rule("keras: an output without elements is SHAPE_OUTPUT_EMPTY (section 1)", "keras.", what="we refuse, kind")
def _(case, mine, theirs):
    return mine["name"] == "SHAPE_OUTPUT_EMPTY" and ("raised" in theirs or 0 in theirs["shape"])


@rule("keras: the package makes its own parameters and casts them (section 11)", "keras.", what="we refuse, kind")
def _(case, mine, theirs):
    return mine["name"] in ("TYPE_DTYPE_MISMATCH", "TYPE_INPUT_DTYPE") and case["x_dtype"] != case["w_dtype"]


@rule("keras on tensorflow: its oneDNN has no primitive where output_padding is given", "keras.", what="they refuse")
def _(case, mine, theirs):
    return theirs["raised"][0] == "AbortedError" and "output_padding" in case["args"]


@rule("keras on jax: XLA ends the process where output_padding is given", "keras.", what="they refuse")
def _(case, mine, theirs):
    return theirs["raised"][0] == "Crash" and "output_padding" in case["args"]


@rule("keras on tensorflow: channels_first with strides differs from its own channels_last", "keras.", what="values")
def _(case, mine, theirs):
    return theirs["backend"] == "tensorflow" and decode_all(case["args"]).get("data_format") == "channels_first"
