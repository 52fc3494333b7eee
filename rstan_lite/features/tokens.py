"""Cubes and vectors from what networks of different families put out."""

from __future__ import annotations

from math import isqrt

from torch import Tensor

from rstan_lite.system.errors import ConfigError


def as_cube(output: Tensor, side: int, node: str) -> Tensor:
    """A node's output as a cube (B, C, K, K).

    output: a map (B, C, K, K); one with its channels last (B, K, K, C), as Swin has them; or tokens
    (B, N, C) of a vision transformer, row by row, N = K * K or, with a class token before them,
    1 + K * K. side: of the square images in pixels, for which K must be a divisor where there are
    tokens. node: its name, for the complaint.
    Raises ConfigError for any other shape, or one that can be read in two ways.
    """
    shape = tuple(output.shape)
    if output.ndim == 3:
        first = _class_tokens(shape[1], side, node)
        k = isqrt(shape[1] - first)
        return output[:, first:].transpose(1, 2).unflatten(2, (k, k))
    if output.ndim != 4:
        raise _unlike(node, f"an output of shape {shape}", "a map of places or tokens")
    usual, last = shape[2] == shape[3], shape[1] == shape[2]
    if usual and last and shape[1] > 1:
        raise _unlike(node, f"a map of shape {shape}", "other numbers of channels than of rows")
    if usual:
        return output
    if last:
        return output.permute(0, 3, 1, 2)
    raise _unlike(node, f"a map of shape {shape}", "as many rows as columns of places")


def as_vector(output: Tensor, side: int, node: str) -> Tensor:
    """A node's output as a vector (B, d): the class token where there is one, else a mean.

    output: (B, d), or as for `as_cube`, whose errors it raises.
    """
    if output.ndim == 2:
        return output
    if output.ndim == 3 and _class_tokens(output.shape[1], side, node):
        return output[:, 0]
    return as_cube(output, side, node).mean((2, 3))


def _class_tokens(tokens: int, side: int, node: str) -> int:
    """0 or 1: how many tokens stand before those of the places."""
    for first in (0, 1):
        k = isqrt(tokens - first)
        if k > 0 and k * k == tokens - first and side % k == 0:
            return first
    raise _unlike(
        node,
        f"{tokens} tokens for {side} x {side} pixels",
        "K * K, or 1 + K * K with a class token, where K divides the pixels",
    )


def _unlike(node: str, found: str, expected: str) -> ConfigError:
    return ConfigError(f"node {node!r}", found, expected, "Name another node of the network.")
