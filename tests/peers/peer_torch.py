# SPDX-License-Identifier: Apache-2.0
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
    x.requires_grad_("gradients" in case)
    with torch.set_grad_enabled("gradients" in case):
        y = layer(x, **wire.decode_all(case["call"]))
    if "gradients" not in case:
        return wire.answer(y.numpy(), layer.weight.shape)
    y.backward(torch.from_numpy(wire.make_dy(y.shape, case["x_dtype"])))
    gradients = [None if t is None else t.grad.numpy() for t in (x, layer.weight, layer.bias)]
    return wire.answer(y.detach().numpy(), layer.weight.shape, gradients)


torch.set_num_threads(1)
wire.serve(handle)
