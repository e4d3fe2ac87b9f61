# SPDX-License-Identifier: Apache-2.0
"""paddle.nn, paddle.nn.functional and paddle.static.nn answer the cases of differential.py.
Static graphs run in the same process."""

import os

os.environ.setdefault("GLOG_minloglevel", "3")
os.environ.setdefault("FLAGS_enable_pir_api", "0")  # paddle.static.nn takes the older graph's variables only
import numpy as np  # noqa: E402
import paddle  # noqa: E402

import wire  # noqa: E402


def answer(case, y, x, w, b, w_shape):
    """The answer of a dynamic call, with the gradients of the sum of dy * y where they are asked for."""
    if "gradients" not in case:
        return wire.answer(y.numpy(), w_shape)
    y.backward(paddle.to_tensor(wire.make_dy(y.shape, case["x_dtype"])))
    return wire.answer(y.numpy(), w_shape, [None if t is None else t.grad.numpy() for t in (x, w, b)])


def tensor(case, array):
    return paddle.to_tensor(array, stop_gradient="gradients" not in case)


def layer(case, args):
    net = getattr(paddle.nn, case["dialect"].rsplit(".", 1)[1])(**args)
    net.weight.set_value(wire.make_weight(net.weight.shape))
    if net.bias is not None:
        net.bias.set_value(wire.make_bias(net.bias.shape))
    net.to(dtype=case["w_dtype"])
    x = tensor(case, wire.make_x(case["x_shape"], case["x_dtype"]))
    return answer(case, net(x, **wire.decode_all(case["call"])), x, net.weight, net.bias, net.weight.shape)


def functional(case, args):
    x = tensor(case, wire.make_x(case["x_shape"], case["x_dtype"]))
    w = tensor(case, wire.make_weight(case["w_shape"], case["w_dtype"]))
    b = tensor(case, wire.make_bias([case["bias"]], case["w_dtype"])) if case["bias"] else None
    run = getattr(paddle.nn.functional, case["dialect"].rsplit(".", 1)[1])
    return answer(case, run(x, w, b, **args), x, w, b, case["w_shape"])


def fetched(case, x, y, parameters):
    """What a static run gives: y, and the gradients of the sum of dy * y by x and each parameter; and what it is
    fed."""
    feed = {"x": wire.make_x(case["x_shape"], case["x_dtype"])}
    if "gradients" not in case:
        return [y], feed
    dy = paddle.static.data("dy", list(y.shape), case["x_dtype"])
    feed["dy"] = wire.make_dy(y.shape, case["x_dtype"])
    return [y, *paddle.static.gradients([y], [x, *parameters], [dy])], feed


def static(case, args):
    paddle.enable_static()
    try:
        program, start = paddle.static.Program(), paddle.static.Program()
        with paddle.static.program_guard(program, start):
            x = paddle.static.data("x", list(case["x_shape"]), case["x_dtype"])
            x.stop_gradient = "gradients" not in case
            y = getattr(paddle.static.nn, case["dialect"].rsplit(".", 1)[1])(x, **args)
            parameters = sorted(program.global_block().all_parameters(), key=lambda p: -len(p.shape))
            fetch, feed = fetched(case, x, y, parameters)
        scope = paddle.static.Scope()
        with paddle.static.scope_guard(scope):
            run = paddle.static.Executor(paddle.CPUPlace())
            run.run(start)
            w_shape = ()
            for p in parameters:
                shape = [int(n) for n in p.shape]
                make = wire.make_weight if len(shape) > 2 else wire.make_bias
                w_shape = shape if len(shape) > 2 else w_shape
                scope.find_var(p.name).get_tensor().set(make(shape, case["x_dtype"]), paddle.CPUPlace())
            out = [np.asarray(one) for one in run.run(program, feed=feed, fetch_list=fetch)]
        gradients = [*out[1:], *[None] * (4 - len(out))] if "gradients" in case else None
        return wire.answer(out[0], w_shape, gradients)
    finally:
        paddle.disable_static()


def handle(case):
    args = wire.decode_all(case["args"])
    kind = static if ".static." in case["dialect"] else functional if ".functional." in case["dialect"] else layer
    return kind(case, args)


paddle.set_device("cpu")
wire.serve(handle)
