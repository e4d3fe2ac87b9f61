# SPDX-License-Identifier: Apache-2.0
"""torch.nn's transposed convolutions: same signatures, numpy (or a torch CPU tensor) in, numpy out;
a torch CUDA tensor in, one out.

dtype chooses the element type of the parameters; device "cuda" or "cuda:N" where the module computes, as to() and
cuda() do later. Under torch.compile a call on a CUDA tensor is one operator of the graph (_compiled.py);
other calls break the graph and run as ever.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from .._foreign import untraced
from .._module import Module, constructor, dtype_name
from .._types import Array, Size

if TYPE_CHECKING:
    from typing_extensions import Self

# What users ask of a torch.nn.Module; this class is none.
_OF_A_MODULE = set(
    "add_module apply bfloat16 buffers children compile double eval float get_parameter get_submodule half "
    "load_state_dict modules named_buffers named_children named_modules named_parameters parameters "
    "register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_module register_parameter requires_grad_ share_memory state_dict "
    "to_empty train training type zero_grad".split()
)


def _device_of(device):
    """None for the CPU, else "cuda" or "cuda:N", of a string, a number or a torch.device.
    The rest is for the library to refuse."""
    if device is None or device is False:
        return None
    name = f"cuda:{device}" if isinstance(device, int) else str(device)
    return None if name == "cpu" or name.startswith("cpu:") else name


class _ConvTranspose(Module):
    _number = _torch = None
    _looked = False  # whether a module that holds this object was looked for

    def _setup(self, arguments, signature):
        super()._setup(arguments, signature)
        self._args.pop("device", None)
        if _device_of(arguments["device"]):
            self.options["device"] = _device_of(arguments["device"])
        self._known()

    def __getattr__(self, name: str) -> Any:
        if name in _OF_A_MODULE:
            mine = type(self).__name__
            raise AttributeError(
                f"ctconv.torch.{mine} computes and is no torch.nn.Module: it has no {name}. Take ctconv.torch.nn.{mine}"
            )
        return super().__getattr__(name)

    @untraced
    def _look_around(self) -> None:
        """Warns, once, where a torch.nn.Module holds this object: nothing of it is in that module's state_dict."""
        self._looked, module = True, self._torch.nn.Module
        frame = sys._getframe()
        for depth in range(2, 10):
            frame = frame.f_back
            if frame is None:
                return
            holder = frame.f_locals.get("self")
            if isinstance(holder, module) and any(value is self for value in vars(holder).values()):
                break
        else:
            return
        mine = type(self).__name__
        warnings.warn(
            f"{type(holder).__name__} holds a ctconv.torch.{mine}, which is no torch.nn.Module: its weights are not in "
            f"parameters() or state_dict(), and load_state_dict() does not set them. Take ctconv.torch.nn.{mine}",
            stacklevel=depth,
        )

    def _known(self):
        """Makes the module known to torch's operators, where torch is loaded."""
        if "torch" in sys.modules and hasattr(sys.modules["torch"], "library"):
            from . import _compiled

            self._torch, self._number = sys.modules["torch"], _compiled.number_of(self)

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name not in ("_torch", "_number")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._known()

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """torch.nn.Module.to: a device, a torch.dtype, a tensor (whose both are taken), device=, dtype=.
        Returns self."""
        for value in (*args, kwargs.get("device"), kwargs.get("dtype")):
            if hasattr(value, "device") and hasattr(value, "dtype"):
                self._move(value.device)._cast(value.dtype)
            elif hasattr(value, "is_floating_point"):
                self._cast(value)
            elif (
                value is not None and not isinstance(value, bool) and not str(value).startswith("torch.")
            ):  # torch.channels_last
                self._move(value)
        return self

    def cuda(self, device: Any = 0) -> Self:
        return self._move("cuda" if device is None else device)

    def cpu(self) -> Self:
        return self._move("cpu")

    def _move(self, device):
        name = _device_of(device)
        for which in ("_weight", "_bias"):
            array = getattr(self, which)
            if array is not None and getattr(array, "is_cuda", False) and name is None:
                array = array.cpu()
                setattr(self, which, array if str(array.dtype) == "torch.bfloat16" else array.numpy())
        self.options.pop("device", None)
        if name:
            self.options["device"] = name
        self._frozen()
        return self

    def _cast(self, dtype):
        torch = sys.modules["torch"]
        for which in ("weight", "bias"):
            array = getattr(self, which)
            if array is not None:
                given = array if isinstance(array, torch.Tensor) else torch.from_numpy(array.copy())
                setattr(self, which, given.to(dtype))
        self._args["dtype"] = dtype_name(dtype)
        return self

    def forward(self, input: Array, output_size: Size | None = None, *, out: Array = None) -> Any:  # noqa: A002
        """input: (N, C, ...) or (C, ...)."""
        torch = self._torch
        if torch is not None and not self._looked and isinstance(input, torch.Tensor):
            self._look_around()
        if (
            torch is not None
            and out is None
            and torch.compiler.is_compiling()
            and isinstance(input, torch.Tensor)
            and input.is_cuda
        ):
            if not (input.requires_grad and torch.is_grad_enabled()):
                return torch.ops.ctconv.transposed_convolution(input, self._number, output_size)
        return self._call(input, output_size, out)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


class ConvTranspose1d(_ConvTranspose):
    """torch.nn.ConvTranspose1d. weight: (in_channels, out_channels / groups, k)."""

    _dialect = "torch.nn.ConvTranspose1d"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        pass


class ConvTranspose2d(_ConvTranspose):
    """torch.nn.ConvTranspose2d. weight: (in_channels, out_channels / groups, kh, kw)."""

    _dialect = "torch.nn.ConvTranspose2d"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        pass


class ConvTranspose3d(_ConvTranspose):
    """torch.nn.ConvTranspose3d. weight: (in_channels, out_channels / groups, kd, kh, kw)."""

    _dialect = "torch.nn.ConvTranspose3d"

    @constructor
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        pass
