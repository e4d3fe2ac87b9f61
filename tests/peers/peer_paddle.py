"""paddle.nn, paddle.nn.functional and paddle.static.nn answer the cases of differential.py.
Static graphs run in the same process."""

import os

os.environ.setdefault("GLOG_minloglevel", "3")
os.environ.setdefault("FLAGS_enable_pir_api", "0")  # paddle.static.nn takes the older graph's variables only
import numpy as np  # noqa: E402
import paddle  # noqa: E402

import wire  # noqa: E402


def layer(case, args):
    net = getattr(paddle.nn, case["dialect"].rsplit(".", 1)[1])(**args)
    net.weight.set_value(wire.make_weight(net.weight.shape))
    if net.bias is not None:
        net.bias.set_value(wire.make_bias(net.bias.shape))
    net.to(dtype=case["w_dtype"])
    x = paddle.to_tensor(wire.make_x(case["x_shape"], case["x_dtype"]))
    return wire.answer(net(x, **wire.decode_all(case["call"])).numpy(), net.weight.shape)


def functional(case, args):
    x, w = wire.make_x(case["x_shape"], case["x_dtype"]), wire.make_weight(case["w_shape"], case["w_dtype"])
    b = paddle.to_tensor(wire.make_bias([case["bias"]], case["w_dtype"])) if case["bias"] else None
    run = getattr(paddle.nn.functional, case["dialect"].rsplit(".", 1)[1])
    return wire.answer(run(paddle.to_tensor(x), paddle.to_tensor(w), b, **args).numpy(), case["w_shape"])


def static(case, args):
    paddle.enable_static()
    try:
        program, start = paddle.static.Program(), paddle.static.Program()
        with paddle.static.program_guard(program, start):
            x = paddle.static.data("x", list(case["x_shape"]), case["x_dtype"])
            y = getattr(paddle.static.nn, case["dialect"].rsplit(".", 1)[1])(x, **args)
            parameters = program.global_block().all_parameters()
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
            out = run.run(program, feed={"x": wire.make_x(case["x_shape"], case["x_dtype"])}, fetch_list=[y])[0]
        return wire.answer(np.asarray(out), w_shape)
    finally:
        paddle.disable_static()


def handle(case):
    args = wire.decode_all(case["args"])
    kind = static if ".static." in case["dialect"] else functional if ".functional." in case["dialect"] else layer
    return kind(case, args)


paddle.set_device("cpu")
wire.serve(handle)
