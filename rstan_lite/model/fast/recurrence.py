"""The fast recurrence: behind the plain one's interface, and as one differentiable function."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from rstan_lite.model.fast.backward import backward
from rstan_lite.model.fast.forward import Forward, Kept, Setup, Tensors
from rstan_lite.model.fast.operations import Config
from rstan_lite.model.output import Attended, Recurred
from rstan_lite.system.errors import ConfigError

# Multiplications a video and step below which both recurrences take what their calls take.
SMALLEST = 1 << 17
ALWAYS = ("U_x", "U_h", "b")
ATTENDING = ("U_phi", "A_h", "A_cv", "v_a", "b_a", "B_h", "B_L", "v_b", "b_b")


class Plan(NamedTuple):
    """Which recurrence computes an output, "plain" or "fast", and why, in words."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


def choose_plan(config: Config, device: torch.device, scores_with_gradient: bool = False) -> Plan:
    """How to run. Where the config leaves it open, the fast way has to save something.

    scores_with_gradient: the scores of all steps are asked for while gradients are recorded, which
    only the plain recurrence can differentiate; ConfigError where "fast" was demanded.
    """
    if config.recurrence == "fast" and scores_with_gradient:
        found = "'fast' with return_attention=True while gradients are recorded"
        expected = "torch.no_grad(), or recurrence 'plain' or 'auto'"
        raise ConfigError("recurrence", found, expected)
    if config.recurrence != "auto":
        return Plan(config.recurrence, "as asked")
    if scores_with_gradient:
        return Plan("plain", "all scores asked for while gradients are recorded")
    # arithmetic, or at least calls: those of the streams together
    together = len(config.streams) > 1 and config.attention in ("window", "all")
    contexts = [0 if config.attention == "none" else config.d_cv[s] for s in config.streams]
    large = any(4 * config.d_h * (config.d_h + d_cv) >= SMALLEST for d_cv in contexts)
    if device.type == "cpu" and not together and not large:
        return Plan("plain", "the model is small")
    return Plan("fast", "chosen")


def run_fast(
    config: Config, streams: Mapping[str, nn.Module], cubes: Mapping[str, Tensor],
    vectors: Mapping[str, Tensor], frames: Sequence[range], frame_mask: Tensor | None,
    dropout: float, return_attention: bool,
) -> Recurred:  # fmt: skip
    """What run_plain computes, from the same arguments; gradients can be taken once.

    Dropout of Phi is drawn before the loop, in the plain loop's order: a seed gives the same masks.
    """
    tensors: list[Tensor] = []
    for s, p in streams.items():
        given = {"x": vectors[s]} | ({"cubes": cubes[s]} if cubes else {})
        # by attribute: a parameter may be tied to another, or computed from others
        tensors += [given[name] if name in given else getattr(p, name) for name in _names(config)]
    first, kind = tensors[0], next(streams[config.streams[0]].parameters()).dtype
    masks = None
    if cubes and dropout:  # what multiplies Phi at each step and stream, (B, d_cv)
        ones = [first.new_ones(len(first), config.d_cv[s], dtype=kind) for s in streams]
        masks = [[functional.dropout(one, dropout) for one in ones] for _ in frames]
    device = first.device.type
    autocast = torch.is_autocast_enabled(device)
    setup = Setup(
        config=config,
        frames=frames,
        frame_mask=frame_mask,
        masks=masks,
        low=torch.get_autocast_dtype(device) if autocast else kind,
        keep=torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors),
        record=return_attention and bool(cubes),
    )
    scores: tuple[Tensor, ...] = ()
    with torch.autocast(device, enabled=False):  # types are set one by one here
        if setup.keep:
            hidden, diagonal = _Recurrence.apply(setup, *tensors)
        else:
            run = Forward(setup, _by_name(config, tensors))
            hidden, diagonal, scores = run.kept.h[1:], run.diagonal, run.scores

    def by_stream(values: Tensor) -> dict[str, Tensor]:  # of (T, S or 1, B, ...): (B, T, ...)
        return {s: values[:, i % values.shape[1]].transpose(0, 1) for i, s in enumerate(streams)}

    states = {s: h.contiguous() for s, h in by_stream(hidden).items()}
    if not cubes:
        return Recurred(states, {}, None)
    looks = None
    if scores:
        alpha, beta, alpha_used, beta_used = map(by_stream, scores)
        looks = Attended(alpha, alpha_used, beta, beta_used, {})
    return Recurred(states, by_stream(diagonal), looks)


def _names(config: Config) -> tuple[str, ...]:
    """Tensors of a stream, in the order in which they are handed over."""
    attending = config.attention != "none"
    return ("x", "cubes", *ALWAYS, *ATTENDING) if attending else ("x", *ALWAYS)


def _by_name(config: Config, tensors: Sequence[Tensor]) -> Tensors:
    """Tensors handed over one stream after another, as a list of all streams' by name."""
    names = _names(config)
    return {name: list(tensors[i :: len(names)]) for i, name in enumerate(names)}


class _Recurrence(torch.autograd.Function):
    """Hidden states (T, S, B, d_h) and used maps over each step's own frame (T, S or 1, B, P)."""

    @staticmethod
    def forward(ctx: Any, setup: Setup, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        run = Forward(setup, _by_name(setup.config, tensors))
        kept = run.kept
        ctx.setup, ctx.count, ctx.product_form = setup, len(tensors), kept.product_form
        single = (kept.h, kept.c, kept.gates, kept.guides, kept.alpha, kept.beta, kept.projected)
        # the mask is saved as well, so that autograd sees it if it changes meanwhile
        ctx.save_for_backward(setup.frame_mask, *tensors, *single, *kept.phi)
        ctx.set_materialize_grads(False)
        return kept.h[1:].clone(), run.diagonal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor | None, d_diagonal: Tensor | None) -> Any:
        setup, (_, *saved) = ctx.setup, ctx.saved_tensors
        given = _by_name(setup.config, saved[: ctx.count])
        h, c, gates, guides, alpha, beta, projected, *phi = saved[ctx.count :]
        kept = Kept(h, c, gates, guides, alpha, beta, projected, phi, ctx.product_form)
        if d_hidden is None:
            d_hidden = torch.zeros_like(kept.h[1:])
        names = _names(setup.config)
        needs = _by_name(setup.config, ctx.needs_input_grad[1:])
        wanted = {name for name in ("x", "cubes") if any(needs.get(name, ()))}
        with torch.autocast(d_hidden.device.type, enabled=False):
            found = backward(setup, given, kept, d_hidden, d_diagonal, wanted)
        streams = range(len(setup.config.streams))
        return None, *(found[name][s] if found[name] else None for s in streams for name in names)
