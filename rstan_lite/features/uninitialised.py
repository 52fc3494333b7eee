"""Networks whose tensors come from a file, built without drawing most of the random ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode


class Uninitialised(TorchFunctionMode):
    """While it is active, layers leave what they would draw as their memory is, or zero.

    VGG-16 draws its 138 million numbers twice, which takes seconds, to have them overwritten.
    `Tensor.normal_` still draws: `init.trunc_normal_` repeats it until the numbers are in bounds.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in (init.uniform_, init.normal_, init.kaiming_uniform_):
            return args[0] if args else (kwargs or {})["tensor"]
        if func is Tensor.uniform_:
            return args[0].zero_()
        return func(*args, **(kwargs or {}))
