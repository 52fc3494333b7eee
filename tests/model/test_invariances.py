"""What must hold of the network whatever the numbers are."""

import math

import pytest
import torch

from rstan_lite.model import RSTAN, RSTANConfig, last_step, main_loss
from rstan_lite.model.checks import CHOICES

STREAMS = ("appearance", "motion")
ATTENDING = tuple(name for name in CHOICES["attention"] if name != "none")


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_parameters_carry_the_papers_symbols(case):
    """Those of attention and of each data set only where the model has them."""
    lstm, attends = ["U_x", "U_h", "b"], ["A_h", "A_cv", "v_a", "b_a", "B_h", "B_L", "v_b", "b_b"]
    for symbols, heads, b, options in (
        ([*lstm, *attends, "U_phi"], ("jhmdb", "ucf101"), [".b"], {}),
        (lstm, ("jhmdb",), [f".b.{s}" for s in STREAMS], {"classifier": "score"}),
    ):
        attention = "all" if attends[0] in symbols else "none"
        model = case(heads=dict.fromkeys(heads, 3), attention=attention, **options).model
        expected = {f"streams.{s}.{name}" for s in STREAMS for name in symbols}
        expected |= {f"heads.{h}{end}" for h in heads for end in [f".W.{s}" for s in STREAMS] + b}
        assert {name for name, _ in model.named_parameters()} == expected


def test_windows_name_their_frames(case):
    scores = case(attention="window", window=3).run().attention
    assert scores.frames.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 3], [3, 3, 3]]
    lengths = scores.frames_valid.sum(-1).tolist()
    assert lengths == [3, 3, 2, 1]
    assert bool((scores.alpha[:, ~scores.frames_valid] == 0).all())
    assert bool((scores.beta[:, ~scores.frames_valid] == 0).all())


@pytest.mark.parametrize("attention", ATTENDING)
def test_the_map_of_the_steps_own_frame_needs_no_record(case, attention):
    """That it is the recorded one: test_variants.py."""
    quick = case(attention=attention).run(return_attention=False)
    assert quick.attention is None
    close(quick.alpha_diagonal, case(attention=attention).run().alpha_diagonal)


@pytest.mark.parametrize("attention", ["none", "all"])
def test_a_padded_step_between_real_ones_leaves_the_state(case, attention):
    gapped = case(attention=attention, lengths=(4, 4))
    gapped.frame_mask[:, 1] = False
    kept = [0, 2, 3]
    close(
        gapped.run().logits[:, kept],
        gapped.model(
            {s: x[:, kept] for s, x in gapped.cubes.items()},
            {s: x[:, kept] for s, x in gapped.vectors.items()},
        ).logits,
    )


def test_last_step_reads_the_last_real_frame():
    logits = torch.arange(12.0).reshape(2, 3, 2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert last_step(logits).tolist() == [[4, 5], [10, 11]]
    assert last_step(logits, mask).tolist() == [[2, 3], [6, 7]]


def test_heads_share_the_recurrence(case):
    both = case(heads={"jhmdb": 3, "ucf101": 5})
    jhmdb, ucf101 = both.run(head="jhmdb"), both.run(head="ucf101")
    assert jhmdb.logits.shape == (2, 4, 3)
    assert ucf101.logits.shape == (2, 4, 5)
    close(jhmdb.attention.alpha, ucf101.attention.alpha)
    main_loss(ucf101, both.labels).backward()
    used = {name for name, p in both.model.named_parameters() if p.grad is not None}
    assert used == {n for n, _ in both.model.named_parameters() if not n.startswith("heads.jhmdb")}


@pytest.mark.parametrize("attention", ["none", "window", "all"])
def test_the_score_classifier_is_taught_by_both_streams_losses(case, attention):
    """Its scores, of each stream and averaged, are the oracle's: test_variants.py."""
    given = case(attention=attention, fusion="none", classifier="score")
    output = given.run()
    losses = [main_loss(output.stream_logits[s], given.labels) for s in STREAMS]
    close(main_loss(output, given.labels), losses[0] + losses[1])


def test_fresh_parameters_are_as_documented():
    torch.manual_seed(0)
    sizes = {"appearance": 30}
    config = RSTANConfig(("appearance",), sizes, sizes, {"jhmdb": 4}, d_h=20, d_att=10)
    stream = RSTAN(config).streams["appearance"]
    for block in stream.U_h.detach().chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(20), atol=1e-5, rtol=0)
    i, f, o, g = stream.b.detach().chunk(4)
    assert f.unique().tolist() == [1.0]
    assert torch.cat([i, o, g, stream.b_a.detach(), stream.b_b.detach()]).unique().tolist() == [0]
    bounds = {"U_x": 50, "U_phi": 50, "A_h": 30, "A_cv": 40, "B_L": 40, "v_a": 11}
    for name, bound in bounds.items():
        largest = getattr(stream, name).abs().max().item()
        limit = math.sqrt(6 / bound)
        assert 0.7 * limit < largest <= limit * (1 + 1e-6), name


def test_dropout_works_in_training_alone(case):
    given = case(dropout=0.5)
    close(given.run().logits, case(dropout=0.0).run().logits)
    given.model.train()
    torch.manual_seed(0)
    first, second = given.run().logits, given.run().logits
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_bfloat16_autocast_stays_near_float32(case, kind):
    given = case(seed=5, places=9)
    model = given.model.float()
    cubes = {s: x.to(kind) for s, x in given.cubes.items()}
    vectors = {s: x.to(kind) for s, x in given.vectors.items()}
    exact = model(cubes, vectors)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(cubes, vectors)
        loss = main_loss(rough, given.labels)
    loss.backward()
    assert rough.logits.dtype == rough.alpha_diagonal.dtype == torch.float32
    torch.testing.assert_close(rough.logits, exact.logits, atol=0.1, rtol=0.05)
    assert not torch.equal(rough.logits, exact.logits)
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters())
