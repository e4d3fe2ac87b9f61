# SPDX-License-Identifier: Apache-2.0
"""The pool of large results: memory is used again only when nothing shows it, and within the limit. numpy alone."""

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import ctconv
from ctconv import pool
from problems import integers, weights

MIB = 1 << 20
ARGS = {"in_channels": 2, "out_channels": 8, "kernel_size": 2, "stride": 2}

pytestmark = pytest.mark.skipif(pool.limit() == 0, reason="this Python does not count references, or the pool is off")


@pytest.fixture(autouse=True)
def empty():
    """Each test begins and ends with an empty pool of the default size."""
    before = pool.limit()
    gc.collect()
    pool.clear()
    yield
    pool.set_limit(before)
    gc.collect()
    pool.clear()


def address(array):
    return array.__array_interface__["data"][0]


def layer_and_x():
    """y is 8 x 256 x 256 float32: 2 MiB."""
    return ctconv.Layer("torch.nn.ConvTranspose2d", ARGS, weights((2, 8, 2, 2))), integers((1, 2, 128, 128))


def test_memory_is_used_again_when_the_result_is_gone():
    layer, x = layer_and_x()
    y = layer(x)
    first, want = address(y), y.copy()
    del y
    again = pool.info().again
    y = layer(x)
    assert address(y) == first and pool.info().again == again + 1
    np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize(
    "shown",
    [
        lambda y: y,
        lambda y: y[:, 3:5],
        lambda y: y.reshape(-1)[::2][1:],
        lambda y: memoryview(y),
        lambda y: y.view(np.uint32).T,
        lambda y: np.frombuffer(y, np.uint8),
        lambda y: y.flat,
        lambda y: np.from_dlpack(y),
        lambda y: (y, None),
    ],
    ids=range(9),
)
def test_what_is_shown_keeps_its_memory(shown):
    layer, x = layer_and_x()
    y = layer(x)
    want, first = y.copy(), address(y)
    kept = shown(y)
    del y
    others = [layer(x + 1) for _ in range(3)]
    assert first not in map(address, others)
    if isinstance(kept, tuple):
        np.testing.assert_array_equal(kept[0], want)
    del kept
    gc.collect()
    assert address(layer(x)) == first


def test_an_object_that_outlives_its_array_keeps_the_memory():
    """A foreign view by __array_interface__, as other packages make them."""
    layer, x = layer_and_x()
    y = layer(x)

    class Foreign:
        def __init__(self, array):
            self.kept, self.__array_interface__ = array, array.__array_interface__

    other = np.asarray(Foreign(y))
    first, want = address(y), y.copy()
    del y
    assert address(layer(x + 1)) != first
    np.testing.assert_array_equal(other, want)


def test_the_limit_holds():
    pool.set_limit(10 * MIB)
    layer, x = layer_and_x()
    kept = [layer(x) for _ in range(8)]
    info = pool.info()
    assert 0 < info.held <= info.limit == 10 * MIB and info.blocks == 2 and info.free == 0
    assert len({address(y) for y in kept}) == 8
    for y in kept:
        np.testing.assert_array_equal(y, kept[0])
    del kept, y
    assert pool.info().free == pool.info().held > 0
    pool.clear()
    assert pool.info().held == pool.info().blocks == 0


def test_free_blocks_make_room_for_others():
    pool.set_limit(12 * MIB)
    for _ in range(2):
        for size in (2 * MIB, 4 * MIB, 9 * MIB):
            memory = pool.take(size)
            assert memory.size == size and address(memory) % (2 * MIB) == 0
            memory[...] = 1
            assert pool.info().held <= 12 * MIB
            del memory
    assert pool.take(11 * MIB) is None  # with room for its alignment it is above the limit
    memory = pool.take(4 * MIB)
    assert pool.take(9 * MIB) is None  # no room beside the one in use
    del memory


def test_a_much_larger_block_is_not_spent_on_a_small_result():
    large = pool.take(64 * MIB)
    first = address(large)
    del large
    small = pool.take(2 * MIB)
    assert address(small) != first and address(pool.take(60 * MIB)) == first


def test_small_results_do_not_come_from_it():
    assert pool.take(pool.SMALLEST - 1) is None and pool.info().blocks == 0


def test_no_limit_no_pool():
    pool.set_limit(0)
    layer, x = layer_and_x()
    layer(x)
    info = pool.info()
    assert info.limit == info.held == info.blocks == 0


def test_what_fits_no_limit_is_refused():
    for wrong, kind in ((-1, ValueError), (1.5, TypeError), ("1", TypeError), (True, ValueError)):
        with pytest.raises(kind, match="limit"):
            pool.set_limit(wrong)


def test_threads():
    """Results in eight threads at once: none is written by another."""
    layer, x = layer_and_x()
    wants = [layer(x + i).copy() for i in range(8)]
    wrong = []

    def work(i):
        for _ in range(20):
            y = layer(x + i)
            z = layer(x + i)
            if not (np.array_equal(y, wants[i]) and np.array_equal(z, wants[i])):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork beside threads
def test_a_fork_has_its_own():
    layer, x = layer_and_x()
    y = layer(x)
    want = y.copy()
    child = os.fork()
    if child == 0:
        z = layer(x + 1)
        y[...] = 0
        os._exit(0 if pool.info().blocks <= 1 and z.size else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("text,limit", [("0", 0), ("1e6", 10**6), ("4096", 4096), ("many", 512 * MIB)])
def test_the_environment(text, limit):
    code = "import ctconv; print(ctconv.pool.limit())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CTCONV_POOL_BYTES": text},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) == limit


def test_what_it_spares():
    """New pages are what it is for: the second result makes none."""
    resource = pytest.importorskip("resource")

    def faults(run):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        run()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    args = {**ARGS, "out_channels": 32}
    layer, x = ctconv.Layer("torch.nn.ConvTranspose2d", args, weights((2, 32, 2, 2))), integers((1, 2, 256, 256))

    def ten():
        for _ in range(10):
            layer(x)  # 32 MiB each

    ten()
    assert faults(ten) < 2000  # without it 8,192 small pages each, or 16 huge ones


def test_keep_malloc():
    """In a process of its own: freed memory is not given back, so that writing it again makes no new pages."""
    code = """if True:
        import ctypes, resource, sys
        import ctconv
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]

        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            memory = libc.malloc(64 << 20)
            ctypes.memset(memory, 1, 64 << 20)
            libc.free(memory)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        faults()
        before = faults()
        if not ctconv.pool.keep_malloc():
            sys.exit("this malloc cannot be told")
        faults()
        print(before, faults())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    if "cannot be told" in done.stderr:
        pytest.skip(done.stderr.strip())
    before, after = map(int, done.stdout.split())
    assert after < 100 and (before > 1000 or before < 100)  # the second: huge pages, or another malloc
    for wrong, kind in ((0, ValueError), (2**31, ValueError), ("1", TypeError)):
        with pytest.raises(kind, match="size"):
            pool.keep_malloc(wrong)
