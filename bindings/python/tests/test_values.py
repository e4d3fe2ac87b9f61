# SPDX-License-Identifier: Apache-2.0
"""Python objects as arguments: the tag each becomes shows in the status and the message it causes."""

import enum

import numpy as np
import pytest

import ctconv

TORCH = "torch.nn.ConvTranspose2d"
OPS = "mindspore.ops.Conv3DTranspose"


class Number(enum.IntEnum):
    THREE = 3


class Odd:
    pass


def status(dialect, **changed):
    base = (
        {"in_channels": 4, "out_channels": 6, "kernel_size": 3}
        if dialect == TORCH
        else {"in_channel": 4, "out_channel": 6, "kernel_size": 3}
    )
    try:
        ctconv.check(dialect, {**base, **changed})
    except ctconv.Error as error:
        return error.name.removeprefix("CTCONV_ERR_")
    return None


@pytest.mark.parametrize("value", [3, np.int64(3), np.int8(3), np.uint16(3), Number.THREE])
def test_ints(value):
    assert status(OPS, stride=value) is None


@pytest.mark.parametrize(
    "value", [True, np.bool_(True), 3.0, np.float32(3), "3", [3, 3, 3], None, Odd(), {3}, np.array([3, 3, 3]), b"3"]
)
def test_what_is_no_int_and_no_tuple(value):
    assert status(OPS, stride=value) == "TYPE_STRIDE"


def test_tuple_is_not_a_list():
    assert status(OPS, kernel_size=(3, 3, 3)) is None
    assert status(OPS, kernel_size=[3, 3, 3]) == "TYPE_KERNEL_SIZE"
    assert status(TORCH, kernel_size=[3, 3]) is None


def test_named_tuple_is_a_tuple():
    size = ctconv.Argument(3, 3, 3, 3)._make((3, 3, 3, 3))
    assert status(OPS, kernel_size=tuple(size)[:3]) is None
    assert status(OPS, kernel_size=size) == "VALUE_KERNEL_SIZE_LENGTH"


@pytest.mark.parametrize("value", [2**63, 2**200, -(2**63) - 1, -(2**200)])
def test_ints_beyond_64_bits_are_saturated(value):
    assert status(TORCH, stride=value) == (None if value > 0 else "VALUE_STRIDE")
    assert status(TORCH, groups=value) == ("VALUE_IN_CHANNELS_GROUPS" if value > 0 else "VALUE_GROUPS")


def test_other_carries_the_type_name():
    with pytest.raises(TypeError, match="Odd"):
        ctconv.check(TORCH, {"in_channels": 4, "out_channels": 6, "kernel_size": Odd()})


@pytest.mark.parametrize("name", ["colour", "", "kernel_size\0x", "größe", 7])
def test_unknown_names(name):
    assert status(TORCH, **{str(name): 1}) == "TYPE_ARGUMENT_NAME"


@pytest.mark.parametrize("args", [None, 3, ["stride"], "stride", object()])
def test_arguments_that_are_no_dict(args):
    for ask in (lambda: ctconv.check(TORCH, args), lambda: ctconv.Layer(TORCH, args, None)):
        with pytest.raises(TypeError) as caught:
            ask()
        assert caught.value.name == "CTCONV_ERR_TYPE_ARGUMENT_NAME"


def test_missing_argument():
    with pytest.raises(TypeError) as caught:
        ctconv.check(TORCH, {"in_channels": 4})
    assert caught.value.name == "CTCONV_ERR_TYPE_ARGUMENT_MISSING"


@pytest.mark.parametrize("text", ["zeros\0", "\ud800", "ö", "x" * 100000])
def test_strange_strings(text):
    assert status(TORCH, padding_mode=text) == "VALUE_PADDING_MODE"


def test_nested_too_deep():
    own = []
    own.append(own)
    assert status(TORCH, stride=own) == "MISUSE_VALUE"
    deep = 1
    for _ in range(9):
        deep = (deep,)
    assert status(TORCH, stride=deep) == "MISUSE_VALUE"


def test_few_lists_that_many_lists_share():
    shared = 1
    for _ in range(7):
        shared = [shared] * 40
    assert status(TORCH, stride=shared) == "MISUSE_VALUE"


def test_error_survives_pickling():
    import pickle

    with pytest.raises(ctconv.Error) as caught:
        ctconv.check(TORCH, {"in_channels": 4, "out_channels": 6, "kernel_size": (3, 0)})
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is type(caught.value) and str(copy) == str(caught.value)
    assert (copy.name, copy.argument, copy.value, copy.range, copy.element) == (
        caught.value.name,
        "kernel_size",
        caught.value.value,
        caught.value.range,
        caught.value.element,
    )
