# SPDX-License-Identifier: Apache-2.0
"""What a call carries besides x and out, as a key: its records and plan are then known again.

In:  weight, bias and output_size of a call.
Out: weight and bias as ndarrays looking at them, and a key of all that a plan depends on, nothing of the data.
     The key is None where something is for `view` to read, copy or refuse.
"""

import numpy as np

from ._tensors import quick

_ndarray = np.ndarray


def _array_key(array):
    return array.shape, array.strides, array.dtype, array.flags.aligned


def _size_key(size):
    """By type too: what is legal depends on it, and 2, 2.0 and True are equal."""
    if type(size) in (tuple, list):
        return (type(size), *size) if all(type(one) is int for one in size) else None
    return (type(size), size) if size is None or type(size) is int else None


def extras_of(weight, bias, output_size, unset):
    key = ()
    if weight is not None:
        weight = weight if type(weight) is _ndarray else quick(weight)
        key = None if type(weight) is not _ndarray else (_array_key(weight),)
    if bias is not None:
        bias = bias if type(bias) is _ndarray else quick(bias)
        key = None if type(bias) is not _ndarray or key is None else (*key, "bias", _array_key(bias))
    if output_size is not unset:
        size = _size_key(output_size)
        key = None if size is None or key is None else (*key, "size", size)
    return weight, bias, key
