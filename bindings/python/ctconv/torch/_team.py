# SPDX-License-Identifier: Apache-2.0
"""The threads of a layer inside torch: torch's own.

In:  torch.get_num_threads().
Out: a Layer's option: torch's OpenMP threads as a runner; where torch has none, or in a child of fork, so many threads
     of the library.
torch's idle threads spin for some milliseconds after each of its operators. Threads of ours would share their cores.
"""

import functools
import os

import torch

from .._options import Runner


@functools.lru_cache(maxsize=None)
def options_of(threads):
    folder = os.path.dirname(os.path.abspath(torch.__file__))
    runner = Runner.openmp(threads, folder) or Runner.openmp(threads) if threads > 1 else None
    return ("threads", threads) if runner is None else ("runner", runner)


def own_threads():
    return options_of(torch.get_num_threads())
