# SPDX-License-Identifier: Apache-2.0
"""mindspore.nn and mindspore.ops answer the cases of differential.py."""

import os

os.environ.setdefault("GLOG_v", "4")
import mindspore  # noqa: E402
from mindspore import Parameter, Tensor, ops  # noqa: E402

import wire  # noqa: E402


def gradients(case, net, x, parameters):
    """y, and dx, dw, db of the sum of dy * y."""
    y = net(x)
    dy = Tensor(wire.make_dy(y.shape, case["x_dtype"]))
    grad = ops.GradOperation(get_all=True, get_by_list=True, sens_param=True)
    (dx,), rest = grad(net, mindspore.ParameterTuple(parameters))(x, dy)
    rest = [g.asnumpy() for g in rest]
    return y.asnumpy(), [dx.asnumpy(), *rest, *[None] * (2 - len(rest))]


class Primitive(mindspore.nn.Cell):
    """An operator of mindspore.ops with its weight as a parameter."""

    def __init__(self, operator, w):
        super().__init__()
        self.operator, self.weight = operator, Parameter(w, name="weight")

    def construct(self, x):
        return self.operator(x, self.weight)


def handle(case):
    args, name = wire.decode_all(case["args"]), case["dialect"].rsplit(".", 1)[1]
    x = Tensor(wire.make_x(case["x_shape"], case["x_dtype"]))
    if ".ops." in case["dialect"]:
        w = Tensor(wire.make_weight(case["w_shape"], case["w_dtype"]))
        if "gradients" in case:
            net = Primitive(getattr(mindspore.ops, name)(**args), w)
            y, found = gradients(case, net, x, [net.weight])
            return wire.answer(y, case["w_shape"], found)
        return wire.answer(getattr(mindspore.ops, name)(**args)(x, w).asnumpy(), case["w_shape"])
    if "dtype" in args:
        args["dtype"] = getattr(mindspore, args["dtype"])
    net = getattr(mindspore.nn, name)(**args)
    dtype = str(net.weight.dtype).lower()
    net.weight.set_data(Tensor(wire.make_weight(net.weight.shape, dtype)))
    if net.bias is not None:
        net.bias.set_data(Tensor(wire.make_bias(net.bias.shape, dtype)))
    if "gradients" in case:
        y, found = gradients(case, net, x, [p for p in (net.weight, net.bias) if p is not None])
        return wire.answer(y, net.weight.shape, found)
    return wire.answer(net(x).asnumpy(), net.weight.shape)


mindspore.set_context(mode=mindspore.PYNATIVE_MODE, device_target="CPU")
wire.serve(handle)
