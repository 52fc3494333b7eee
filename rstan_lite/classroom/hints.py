"""Checks of exercises: right, or a sentence that says what is wrong."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def compare(
    found: Any, expected: Tensor | float, mistakes: Mapping[str, Tensor | float] | None = None,
    what: str = "the result", hint: str = "", rtol: float = 1e-4, atol: float = 1e-5,
) -> None:  # fmt: skip
    """Print that an exercise's answer is right, or raise AssertionError with a hint.

    found: what the reader's function returned. expected: a tensor or a number.
    mistakes: what common mistakes would have given, by the words that name the mistake.
    what: the answer's name in messages. hint: said where no known mistake was made.
    """
    wanted = torch.as_tensor(expected).detach()
    if found is None:
        raise AssertionError(f"{what} is None. Does your function end with a return?")
    if not isinstance(found, (Tensor, float, int)):
        raise AssertionError(f"{what} is a {type(found).__name__}, not a tensor or a number.")
    got = torch.as_tensor(found).detach().to(wanted.dtype)
    if got.shape != wanted.shape:
        raise AssertionError(
            f"{what} has the shape {tuple(got.shape)}, where {tuple(wanted.shape)} is expected."
        )
    if torch.allclose(got, wanted, rtol=rtol, atol=atol):
        print(f"{what}: right")
        return
    if not bool(got.isfinite().all()):
        raise AssertionError(f"{what} holds a value that is infinite, or not a number. {hint}")
    for words, value in (mistakes or {}).items():
        wrong = torch.as_tensor(value).detach().to(wanted.dtype)
        if wrong.shape == got.shape and torch.allclose(got, wrong, rtol=rtol, atol=atol):
            raise AssertionError(words)
    off = (got - wanted).abs().flatten()
    worst = int(off.argmax())
    raise AssertionError(
        f"{what} is off by up to {float(off[worst]):.3g}: {float(got.flatten()[worst]):.4g}, where "
        f"{float(wanted.flatten()[worst]):.4g} is expected. {hint}".rstrip()
    )
