"""The fast recurrence computes what the plain one does: values, gradients, dropout, training."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rstan_lite.model import RSTAN, RSTANConfig, actor_attention_loss, main_loss
from rstan_lite.model.checks import CHOICES
from rstan_lite.model.fast import operations
from rstan_lite.model.fast.places import LARGEST, PlaceScores, hold
from rstan_lite.system.errors import ConfigError

STREAMS = ("appearance", "motion")
CHOSEN = CHOICES["attention"], CHOICES["fusion"], (False, True)
VARIANTS = list(itertools.product(*CHOSEN, (None, (4, 2)), (STREAMS, STREAMS[:1])))


def calm(case):
    """The case with smaller parameters: rounding then does not grow from step to step."""
    with torch.no_grad():
        for parameter in case.model.parameters():
            parameter.mul_(0.3)
    return case


def single(case):
    """The case in float32."""
    case.model.float()
    cubes = {s: x.float() for s, x in case.cubes.items()}
    return replace(case, cubes=cubes, vectors={s: x.float() for s, x in case.vectors.items()})


def gradients(case, inputs: bool = True, autocast: bool = False) -> dict[str, Tensor]:
    """Of the whole loss, for parameters and, where asked for, inputs; with the logits."""
    attends = case.config.attention != "none"
    given = {"cubes": case.cubes if attends else {}, "vectors": case.vectors}
    given = {
        name: {s: x.detach().requires_grad_(inputs) for s, x in tensors.items()}
        for name, tensors in given.items()
    }
    case.model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        output = case.model(given["cubes"], given["vectors"], frame_mask=case.frame_mask)
        loss = main_loss(output, case.labels, case.frame_mask)
        if attends:
            target = case.target.to(loss.dtype)
            loss = loss + 0.5 * actor_attention_loss(output.alpha_diagonal, target, case.frame_mask)
    loss.backward()
    found = {name: p.grad for name, p in case.model.named_parameters()}
    if inputs:
        found |= {f"{name} {s}": x.grad for name, xs in given.items() for s, x in xs.items()}
    return {**found, "logits": output.logits.detach()}


def error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Largest relative error of any tensor."""
    assert found.keys() == expected.keys()
    return max(
        float((found[k].double() - x.double()).norm() / x.double().norm().clamp_min(1e-12))
        for k, x in expected.items()
    )


@pytest.mark.parametrize(("attention", "fusion", "renormalize", "lengths", "streams"), VARIANTS)
def test_gradients_are_those_of_the_plain_recurrence(
    case, attention, fusion, renormalize, lengths, streams
):
    options = {"attention": attention, "fusion": fusion, "renormalize": renormalize}
    options |= {"lengths": lengths, "streams": streams, "window": 3, "seed": len(fusion)}
    plain, fast = (gradients(case(recurrence=r, **options)) for r in ("plain", "fast"))
    assert error(fast, plain) < 1e-12


SIZES = {"videos": 3, "steps": 5, "places": 9, "d_h": 24, "d_att": 16}


@pytest.mark.parametrize("attention", ["window", "all"])
def test_float32_stays_as_near_to_float64_as_the_plain_recurrence(case, attention):
    options = {"attention": attention, "seed": 5, **SIZES}
    exact = gradients(calm(case(recurrence="plain", **options)), inputs=False)
    errors = {}
    for recurrence in ("plain", "fast"):
        given = single(calm(case(recurrence=recurrence, **options)))
        errors[recurrence] = error(gradients(given, inputs=False), exact)
    assert errors["fast"] < 1e-5
    assert errors["fast"] < 4 * errors["plain"]


@pytest.mark.parametrize("attention", ["none", "window", "all"])
def test_bfloat16_is_no_rougher_than_in_the_plain_recurrence(case, attention):
    """The relative error of the whole gradient; benchmarks/README.md states it."""
    options = {"attention": attention, "fusion": "max" if attention != "none" else "none"}
    options |= SIZES
    errors = {"plain": 0.0, "fast": 0.0}
    for seed in range(3):
        exact = gradients(calm(case(recurrence="plain", seed=seed, **options)), inputs=False)
        for recurrence in errors:
            given = single(calm(case(recurrence=recurrence, seed=seed, **options)))
            found = gradients(given, inputs=False, autocast=True)
            assert found["logits"].dtype == torch.float32
            pairs = [(found[k].double().flatten(), exact[k].double().flatten()) for k in exact]
            whole, true = (torch.cat(side) for side in zip(*pairs, strict=True))
            errors[recurrence] += float((whole - true).norm() / true.norm()) / 3
    assert 1e-4 < errors["fast"] < 0.1
    assert errors["fast"] < 1.2 * errors["plain"]


@pytest.mark.parametrize("attention", ["none", "window", "all"])
def test_a_seed_gives_the_same_dropout(case, attention):
    found = {}
    for recurrence in ("plain", "fast"):
        given = case(recurrence=recurrence, dropout=0.5, attention=attention, **SIZES)
        given.model.train()
        torch.manual_seed(3)
        found[recurrence] = gradients(given)
        found[recurrence]["next number"] = torch.rand(1)
    assert error(found["fast"], found["plain"]) < 1e-12
    torch.manual_seed(4)
    other = {**gradients(given), "next number": found["plain"]["next number"]}
    assert error(other, found["plain"]) > 0.1


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1.0, 3 * LARGEST[torch.float64]])
@pytest.mark.parametrize("block", [1, 100, 1 << 20])
def test_the_kernel_of_eq_2_in_any_blocks_and_sizes(kind, size, block):
    """Also where exp(2 A_cv CV) is too large a number, and where tanh has long reached 1."""
    torch.manual_seed(1)
    a, guide = torch.randn(2, 3, 4, 5, 7), torch.randn(2, 3, 7)
    guide[:, 0] *= 1000
    a[:, 1] *= size
    guide[:, 1, ::2] *= size
    v, q = torch.randn(2, 7), torch.randn(2, 3, 2, 5)
    a, guide, v, q = (x.double().requires_grad_() for x in (a, guide, v, q))
    q = q.detach() - q.detach().mean(-1, keepdim=True)
    seen = a[:, :, 1:3] + guide[:, :, None, None]
    expected = (torch.tanh(seen) * v[:, None, None, None]).sum(-1)
    expected.backward(q)
    held, product_form = hold(a.detach().to(kind).clone())
    assert product_form == (size == 1)
    kernel = PlaceScores(held, v.detach().to(kind), product_form, block)
    found = kernel.scores(guide.detach().to(kind), range(1, 3))
    d_guide = kernel.backward(guide.detach().to(kind), range(1, 3), q.to(kind))
    dv, da = kernel.gradients()
    near = 1e-5 if kind == torch.float32 else 1e-12
    tolerance = {"atol": near, "rtol": near}
    shifts = found.double() - expected.detach()  # the same at all places of a frame
    torch.testing.assert_close(shifts, shifts.mean(-1, True).expand(found.shape), **tolerance)
    for one, other in ((d_guide, guide), (dv, v), (da, a)):
        torch.testing.assert_close(one.double(), other.grad, **tolerance)
    assert bool((da[:, :, 3] == 0).all())  # a frame that was not attended


@pytest.mark.skipif(not operations.has_onednn(), reason="this torch has no oneDNN")
def test_large_products_go_through_onednn_without_gaps_and_agree(monkeypatch):
    """With gaps between a matrix's rows it takes hundreds of times as long."""
    torch.manual_seed(0)
    wide, linear, seen = torch.randn(256, 300), torch.nn.functional.linear, []
    monkeypatch.setattr(operations.functional, "linear", lambda *x: seen.append(1) or linear(*x))
    x = torch.randn(2, 64, 300)[..., :256]
    for weight in (torch.randn(256, 256), torch.randn(256, 256).T, wide[:, :256], wide[:, :256].T):
        exact = x.double() @ weight.double().T
        found = operations.product(x, weight)
        torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-3)
        assert operations.without_gaps(weight).stride() in ((256, 1), (1, 256))
    assert not seen
    operations.product(x[:, :1], wide[:, :256])
    assert seen


def test_tied_and_computed_parameters(case):
    """Parameters that named_parameters lists under other names, or not at all."""
    found = {}
    for recurrence in ("plain", "fast"):
        given = case(recurrence=recurrence)
        p = given.model.streams["motion"]
        p.B_h = p.A_h
        torch.nn.utils.parametrizations.weight_norm(p, "A_cv")
        output = given.model(given.cubes, given.vectors)
        main_loss(output, given.labels).backward()
        found[recurrence] = {"A_h": p.A_h.grad, "A_cv": p.parametrizations.A_cv.original1.grad}
    assert error(found["fast"], found["plain"]) < 1e-10


def test_a_mask_that_changes_before_the_backward_pass_is_an_error(case):
    for recurrence in ("plain", "fast"):
        given = case(recurrence=recurrence)
        mask = torch.ones(given.vectors["motion"].shape[:2], dtype=torch.bool)
        loss = main_loss(given.model(given.cubes, given.vectors, frame_mask=mask), given.labels)
        mask[:, -1] = False
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_memory_of_a_training_step_is_linear_in_time():
    """What is kept for the backward pass, of all that a clip of all frames computes."""
    kept = {}
    for recurrence, steps in itertools.product(("plain", "fast"), (4, 8, 16)):
        config = RSTANConfig(
            ("motion",), {"motion": 6}, {"motion": 5}, {"toy": 2}, 8, 64, recurrence=recurrence
        )
        storages: dict[int, int] = {}

        def keep(x: Tensor, storages: dict[int, int] = storages) -> Tensor:
            storages[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        cubes, vectors = torch.randn(2, steps, 49, 6), torch.randn(2, steps, 5)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            output = RSTAN(config)({"motion": cubes}, {"motion": vectors})
        kept[recurrence, steps] = sum(storages.values())
        assert output.logits.requires_grad
    growth = {r: kept[r, 16] / kept[r, 8] for r in ("plain", "fast")}
    assert growth["plain"] > 3.3
    assert growth["fast"] < 2.4
    assert kept["fast", 16] < 0.15 * kept["plain", 16]


def test_second_derivatives_are_refused_in_words(case):
    given = case(recurrence="fast")
    loss = main_loss(given.model(given.cubes, given.vectors), given.labels)
    first = torch.autograd.grad(loss, given.model.streams["motion"].A_h, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_scores_that_may_be_differentiated_come_from_the_plain_recurrence(case):
    auto = case(recurrence="auto")
    assert auto.model.plan(torch.device("cpu")).name == "fast"
    assert auto.model.plan(torch.device("cpu"), return_attention=True).name == "plain"
    auto.run().attention.alpha.sum().backward()
    frozen = case().model.requires_grad_(False)
    cubes = {s: x.clone().requires_grad_() for s, x in auto.cubes.items()}
    assert frozen(cubes, auto.vectors, return_attention=True).attention.alpha.requires_grad
    assert auto.model.streams["motion"].A_h.grad.abs().sum() > 0
    with torch.no_grad():
        assert auto.model.plan(torch.device("cpu"), return_attention=True).name == "fast"
    with pytest.raises(ConfigError, match="no_grad"):
        case(recurrence="fast").run()
    with pytest.raises(ConfigError, match="auto, plain, fast"):
        replace(auto.config, recurrence="quick")


def test_a_small_model_runs_plain_where_the_fast_one_saves_nothing():
    def plan(streams, attention, d_h, recurrence="auto"):
        sizes = dict.fromkeys(streams, 64)
        config = RSTANConfig(
            streams, sizes, sizes, {"toy": 2}, d_h, 32, attention, recurrence=recurrence
        )
        return RSTAN(config).plan(torch.device("cpu"))

    assert plan(STREAMS, "window", 64).name == "fast"
    for streams, attention in ((STREAMS, "none"), (STREAMS, "current"), (STREAMS[:1], "all")):
        assert str(plan(streams, attention, 64)) == "plain (the model is small)"
        assert plan(streams, attention, 64, "fast").name == "fast"
        assert plan(streams, attention, 256).name == "fast"


def test_frozen_parameters_and_one_video(case):
    """A gradient of the inputs alone, for a batch and a clip of one."""
    found = {}
    for recurrence in ("plain", "fast"):
        given = case(recurrence=recurrence, videos=1, steps=1)
        given.model.requires_grad_(False)
        cubes = {s: x.clone().requires_grad_() for s, x in given.cubes.items()}
        given.model(cubes, given.vectors).logits[0, 0, 0].backward()
        found[recurrence] = {s: x.grad for s, x in cubes.items()}
    assert error(found["fast"], found["plain"]) < 1e-12
