"""The whole network against the oracle, in every variant of the paper's tables."""

import itertools

import oracle
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from rstan_lite.model import actor_attention_loss, main_loss, total_loss
from rstan_lite.model.checks import CHOICES
from rstan_lite.system.errors import ConfigError

STREAM_SETS = (("appearance",), ("motion",), ("appearance", "motion"))
CHOSEN = [CHOICES[field] for field in ("attention", "fusion", "classifier")]
VARIANTS = list(itertools.product(*CHOSEN, (False, True), STREAM_SETS))


def same(found: torch.Tensor, expected) -> None:
    torch.testing.assert_close(found.detach(), torch.tensor(expected), rtol=1e-10, atol=1e-13)


def agree(build, **options) -> None:
    """Everything the model returns equals what the oracle computes, by either recurrence."""
    plain, fast = (build(recurrence=name, **options) for name in ("plain", "fast"))
    expected = oracle.forward(*plain.oracle_inputs())
    with torch.no_grad():
        outputs = plain.run(), fast.run()
    for output in outputs:
        compare(plain, output, expected)


def compare(case, output, expected) -> None:
    streams = case.config.streams
    same(torch.softmax(output.logits, -1), expected.y_hat)
    if case.config.classifier == "score":
        for s in streams:
            same(torch.softmax(output.stream_logits[s], -1), expected.y_stream[s])
        same(output.logits.exp(), expected.y_hat)
    else:
        assert output.stream_logits is None
    if case.config.attention == "none":
        assert output.attention is None
        assert output.alpha_diagonal is None
        return
    for s in streams:
        same(output.attention.alpha_stream[s], expected.alpha[s])
        same(output.attention.beta_stream[s], expected.beta[s])
    if case.config.fusion == "none" and len(streams) > 1:
        assert output.attention.alpha is None
        assert output.attention.beta is None
        for s in streams:
            same(output.alpha_diagonal[s], expected.diagonal[s])
    else:
        for s in streams:
            same(output.attention.alpha, expected.alpha_com[s])
            same(output.attention.beta, expected.beta_com[s])
            same(output.alpha_diagonal, expected.diagonal[s])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_variant_equals_the_oracle(case, variant):
    names = ("attention", "fusion", "classifier", "renormalize", "streams")
    options = dict(zip(names, variant, strict=True))
    seed = len(options["attention"]) + 10 * len(options["fusion"])
    agree(case, seed=seed, lengths=(4, 2), **options)


@pytest.mark.parametrize("fusion", ["max", "none"])
def test_streams_may_have_any_names_and_be_three(case, fusion):
    d_cv, d_fc = {"pose": 3, "depth": 2, "rgb": 4}, {"pose": 2, "depth": 5, "rgb": 3}
    agree(case, streams=("pose", "depth", "rgb"), d_cv=d_cv, d_fc=d_fc, fusion=fusion)
    for name in ("keys", "a.b", "setdefault"):
        with pytest.raises(ConfigError, match=f"streams: found one named '{name}'"):
            case(streams=(name,), d_cv={name: 3}, d_fc={name: 3})


def like(*values) -> dict:
    """An example of the shapes below, gamma_alpha and gamma_beta being the last two."""
    names = ("seed", "videos", "steps", "places", "attention", "fusion", "window")
    return dict(zip((*names, "gamma_alpha", "gamma_beta"), values, strict=True))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    options=st.fixed_dictionaries(
        like(
            st.integers(0, 2**32 - 1),
            st.integers(1, 2),
            st.integers(1, 5),
            st.sampled_from([1, 4, 9]),
            st.sampled_from(CHOICES["attention"]),
            st.sampled_from(CHOICES["fusion"]),
            st.integers(1, 6),
            st.sampled_from([0.0, 1.0, 5.0]),
            st.sampled_from([0.0, 1.0, 10.0]),
        )
    )
)
@example(like(0, 1, 2, 36, "all", "max", 2, 5.0, 10.0))
@example(like(0, 1, 2, 49, "all", "max", 2, 1.0, 1.0))
@example(like(0, 1, 2, 49, "window", "max", 2, 1.0, 1.0))
@example(like(0, 2, 1, 9, "all", "max", 2, 1.0, 1.0))
@example(like(0, 2, 1, 9, "window", "mean", 3, 1.0, 1.0))
@example(like(0, 2, 5, 4, "window", "max", 3, 1.0, 1.0))
def test_random_shapes_equal_the_oracle(case, options):
    agree(case, **options)


@pytest.mark.parametrize("attention", CHOICES["attention"])
@pytest.mark.parametrize(
    ("fusion", "classifier"), [("max", "joint"), ("mean", "joint"), ("none", "score")]
)
@pytest.mark.parametrize("lengths", [None, (3, 1)])
def test_gradients_of_the_whole_loss(case, attention, fusion, classifier, lengths):
    """Of Eq. 19 with respect to every parameter and input; the fast ones equal them: test_fast."""
    shape = {"seed": 3, "steps": 3, "lengths": lengths, "renormalize": fusion == "mean"}
    given = case(attention=attention, fusion=fusion, classifier=classifier, **shape)
    names = [name for name, _ in given.model.named_parameters()]
    streams = given.config.streams
    read = streams if attention != "none" else ()

    def loss(*values):
        parameters = dict(zip(names, values, strict=False))
        rest = values[len(names) :]
        vectors = dict(zip(streams, rest, strict=False))
        cubes = dict(zip(read, rest[len(streams) :], strict=True))
        inputs = (cubes or None, vectors)
        output = functional_call(given.model, parameters, inputs, {"frame_mask": given.frame_mask})
        main = main_loss(output, given.labels, given.frame_mask)
        if attention == "none":
            return main
        maps = output.alpha_diagonal
        return total_loss(main, actor_attention_loss(maps, given.target, given.frame_mask), 0.5)

    values = [p.detach() for p in given.model.parameters()]
    values += [given.vectors[s] for s in streams] + [given.cubes[s] for s in read]
    values = [value.clone().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(loss, values, fast_mode=True)
