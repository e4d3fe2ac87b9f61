# SPDX-License-Identifier: Apache-2.0
"""ctconv.jax.lax_conv_transpose against jax.lax.conv_transpose, live; foreign calls against callbacks."""

import itertools
import os
import subprocess
import sys

import ctconv
import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

import ctconv.jax  # noqa: E402

mine, theirs = ctconv.jax.lax_conv_transpose, jax.lax.conv_transpose


def reals(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


def agree(x, w, *args, **kwargs):
    got, want = mine(x, w, *args, **kwargs), theirs(x, w, *args, precision="highest", **kwargs)
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


KERNELS, STRIDES, DILATIONS = (1, 2, 3, 4, 5), (1, 2, 3, 4), (1, 2)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_every_small_case_in_1d(padding, transpose_kernel):
    for k, s, d in itertools.product(KERNELS, STRIDES, DILATIONS):
        w = reals(k, 2, 3, seed=k) if transpose_kernel else reals(k, 3, 2, seed=k)
        agree(reals(2, 6, 3), w, (s,), padding, (d,), transpose_kernel=transpose_kernel)


@pytest.mark.parametrize("consistent", [False, True])
def test_pairs(consistent):
    pairs = [(0, 0), (1, 2), (0, 1)] if consistent else [(4, 4), (2, 4), (3, 5), (1, 1), (0, 3)]
    for pair, s in itertools.product(pairs, (1, 2, 3)):
        agree(reals(1, 6, 3), reals(5, 3, 2), (s,), [pair], use_consistent_padding=consistent)


@pytest.mark.parametrize(
    "x,w,numbers",
    [
        ((2, 5, 4, 3), (3, 2, 3, 4), None),
        ((2, 3, 5, 4), (3, 4, 3, 2), ("NCHW", "IOHW", "NCHW")),
        ((2, 3, 5, 4), (4, 3, 2, 3), ("NCHW", "OIHW", "NHWC")),
        ((1, 3, 4, 2, 3), (2, 3, 1, 3, 2), None),
        ((4, 2, 3, 5, 1), (2, 2, 3, 5, 4), ("HWDCN", "HWDIO", "NCHWD")),
    ],
    ids=str,
)
def test_layouts(x, w, numbers):
    rank = len(x) - 2
    for padding in ("SAME", "VALID"):
        agree(reals(*x), reals(*w, seed=1), (2, 3, 1)[:rank], padding, None, numbers)


def test_gradients_under_jit_and_vmap():
    x, w = reals(2, 5, 4, 3), reals(3, 2, 3, 4, seed=1)

    def loss(function, x, w):
        return jnp.sum(jnp.tanh(function(x, w, (2, 1), "SAME")))

    got = jax.jit(jax.grad(lambda x, w: loss(mine, x, w), (0, 1)))(x, w)
    want = jax.grad(lambda x, w: loss(theirs, x, w), (0, 1))(x, w)
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
    many = reals(3, 2, 5, 4, 3, seed=2)
    each = jax.vmap(lambda one: mine(one, w, (2, 1), "SAME"))(many)
    np.testing.assert_allclose(each[1], theirs(many[1], w, (2, 1), "SAME"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        {"padding": "CAUSAL"},
        {"padding": [(9, 0)]},
        {"strides": (0,)},
        {"strides": (1, 1)},
        {"lhs": reals(6, 3)},
        {"preferred_element_type": jnp.float64},
    ],
    ids=str,
)
def test_refusals(call):
    given = {"lhs": reals(1, 6, 3), "rhs": reals(5, 3, 2), "strides": (2,), "padding": "SAME", **call}
    with pytest.raises(ctconv.Error):
        mine(**given)


def test_calls_are_foreign_where_the_library_is_there():
    said = ctconv.jax.why()
    if said != "jax.ffi":
        pytest.skip(said)
    text = jax.jit(lambda x, w: mine(x, w, (2,), "SAME")).lower(reals(1, 6, 3), reals(5, 3, 2)).as_text()
    assert "ctconv_xla_call" in text and "callback" not in text


PROGRAM = """
import hashlib, jax, jax.numpy as jnp, numpy as np, ctconv.jax
x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 4, 9, 7)).astype("float32"))
w = jnp.asarray(np.random.default_rng(1).standard_normal((4, 3, 3, 3)).astype("float32"))
def f(x, w):
    return jnp.sum(ctconv.jax.conv_transpose(x, w, stride=2, reproducible=1) ** 2)
parts = jax.jit(jax.value_and_grad(f, (0, 1)))(x, w)
many = jax.vmap(lambda one: ctconv.jax.conv_transpose(one, w, reproducible=1))(x[:, None])
bytes_of = b"".join(np.asarray(a).tobytes() for a in jax.tree.leaves((parts[1], many)))
print(ctconv.jax.why().partition(":")[0], hashlib.sha256(bytes_of).hexdigest())
"""


def test_callbacks_give_the_same_bits():
    if ctconv.jax.why() != "jax.ffi":
        pytest.skip(ctconv.jax.why())
    out = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "CTCONV_JAX": how},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for how in ("", "callback")
    ]
    assert [words[0] for words in out] == ["jax.ffi", "jax.pure_callback"]
    assert out[0][1] == out[1][1]


def test_a_compiled_program_runs_in_another_process(tmp_path):
    """What the foreign call needs is in its attributes, so jax's cache on disk may hold it."""
    if ctconv.jax.why() != "jax.ffi":
        pytest.skip(ctconv.jax.why())
    more = "jax.config.update('jax_compilation_cache_dir', %r);" % str(tmp_path)
    more += "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0);"
    more += "jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)"
    program = PROGRAM.replace("x = jnp", more + "\nx = jnp", 1)
    first, second = (
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )
    assert first == second and list(tmp_path.iterdir())
