"""torch.nn.ConvTranspose1d/2d/3d answer the cases of differential.py."""

import torch

import wire


def handle(case):
    layer = getattr(torch.nn, case["dialect"].rsplit(".", 1)[1])(**wire.decode_all(case["args"]))
    layer = layer.to(getattr(torch, case["w_dtype"]))
    x = torch.from_numpy(wire.make_x(case["x_shape"], case["x_dtype"]))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(wire.make_weight(layer.weight.shape)))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(wire.make_bias(layer.bias.shape)))
        y = layer(x, **wire.decode_all(case["call"]))
    return wire.answer(y.numpy(), layer.weight.shape)


torch.set_num_threads(1)
wire.serve(handle)
