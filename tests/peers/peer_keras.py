# SPDX-License-Identifier: Apache-2.0
"""keras.layers.Conv2DTranspose and Conv3DTranspose answer the cases of differential.py.

On Keras's backend of KERAS_BACKEND: jax, or tensorflow. An answer carries its name.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402

import wire  # noqa: E402


def handle(case):
    layer = getattr(keras.layers, case["dialect"].rsplit(".", 1)[1])(
        **wire.decode_all(case["args"]), dtype=case["w_dtype"]
    )
    x = wire.make_x(case["x_shape"], case["x_dtype"])
    layer.build(x.shape)
    weights = [wire.make_weight(layer.kernel.shape)]
    if layer.use_bias:
        weights.append(wire.make_bias(layer.bias.shape))
    layer.set_weights(weights)
    answer = wire.answer(keras.ops.convert_to_numpy(layer(x)), layer.kernel.shape)
    return answer | {"backend": keras.backend.backend()}


wire.serve(handle)
