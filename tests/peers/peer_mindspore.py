"""mindspore.nn and mindspore.ops answer the cases of differential.py."""

import os

os.environ.setdefault("GLOG_v", "4")
import mindspore  # noqa: E402
from mindspore import Tensor  # noqa: E402

import wire  # noqa: E402


def handle(case):
    args, name = wire.decode_all(case["args"]), case["dialect"].rsplit(".", 1)[1]
    x = Tensor(wire.make_x(case["x_shape"], case["x_dtype"]))
    if ".ops." in case["dialect"]:
        w = Tensor(wire.make_weight(case["w_shape"], case["w_dtype"]))
        return wire.answer(getattr(mindspore.ops, name)(**args)(x, w).asnumpy(), case["w_shape"])
    if "dtype" in args:
        args["dtype"] = getattr(mindspore, args["dtype"])
    net = getattr(mindspore.nn, name)(**args)
    dtype = str(net.weight.dtype).lower()
    net.weight.set_data(Tensor(wire.make_weight(net.weight.shape, dtype)))
    if net.bias is not None:
        net.bias.set_data(Tensor(wire.make_bias(net.bias.shape, dtype)))
    return wire.answer(net(x).asnumpy(), net.weight.shape)


mindspore.set_context(mode=mindspore.PYNATIVE_MODE, device_target="CPU")
wire.serve(handle)
