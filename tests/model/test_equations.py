"""Each of Eq. 1-19 against the loops of the oracle, and its gradient against differences."""

from functools import partial

import numpy as np
import oracle
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from rstan_lite.features.backbones import cube_places
from rstan_lite.model import (
    actor_attention_loss,
    average_scores,
    classify,
    frame_scores,
    fuse_scores,
    gather_frames,
    gather_places,
    location_scores,
    lstm_step,
    main_loss,
    multi_task_loss,
    sharpened_softmax,
    total_loss,
)

RTOL = 1e-10
few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
small = st.integers(1, 3)  # videos, frames, widths
places = st.sampled_from([1, 4, 9])
gammas = st.sampled_from([0.0, 0.5, 1.0, 5.0, 10.0])


def same(found: torch.Tensor, expected: object) -> None:
    """Within RTOL, and of the same shape."""
    expected = torch.as_tensor(np.array(expected, dtype=np.float64))
    torch.testing.assert_close(found.detach(), expected, rtol=RTOL, atol=1e-14)


def over(shape: tuple[int, ...], equation) -> list:
    """What an equation of the oracle gives at each index of a shape, nested as that shape is."""
    if not shape:
        return equation()
    return [over(shape[1:], partial(equation, i)) for i in range(shape[0])]


class Draw:
    """Random float64 arrays from one seed; as tensors that want a gradient, or plain."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def arrays(self, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        return [self.rng.normal(size=shape) for shape in shapes]

    def weights(self, *shape: int) -> np.ndarray:
        """Positive, summing to 1 over the last axis."""
        raw = self.rng.uniform(0.05, 1, size=shape)
        return raw / raw.sum(-1, keepdims=True)

    def silhouettes(self, *shape: int) -> np.ndarray:
        """M of Eq. 18: some places share the weight; about every third row is empty."""
        raw = self.rng.random(shape) < 0.4
        raw &= (self.rng.random(shape[:-1]) < 0.7)[..., None]
        return raw / np.maximum(raw.sum(-1, keepdims=True), 1)


def leaves(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(array, requires_grad=True) for array in arrays]


@few
@given(seed=seeds, K=st.integers(1, 7), frames=small, width=small)
@example(seed=0, K=6, frames=2, width=3)
@example(seed=0, K=7, frames=1, width=3)
def test_eq01_a_cube_is_its_places_row_by_row(seed, K, frames, width):
    (cubes,) = Draw(seed).arrays((frames, K, K, width))
    maps = torch.tensor(cubes).permute(0, 3, 1, 2)  # as a network gives them
    same(cube_places(maps), [oracle.eq01_places(cube) for cube in cubes])
    assert gradcheck(cube_places, maps[:1, :, :3, :3].clone().requires_grad_())


def _scored(draw: Draw, width: int, videos: int, *seen: int) -> list[np.ndarray]:
    """What Eq. 2 and Eq. 5 score: h, what is seen of each video, and the parameters."""
    d_h, d_att, d_cv = width, width + 1, width + 2
    shapes = [(videos, d_h), (videos, *seen, d_cv), (d_att, d_h), (d_att, d_cv)]
    return draw.arrays(*shapes, (d_att,), (d_att,))


@few
@given(seed=seeds, videos=small, frames=small, P=places, width=small)
@example(seed=1, videos=1, frames=1, P=36, width=2)
@example(seed=1, videos=2, frames=2, P=49, width=2)
def test_eq02_location_scores(seed, videos, frames, P, width):
    arrays = _scored(Draw(seed), width, videos, frames, P)
    h, cubes, *parameters = arrays

    def scores(h, cubes, A_h, A_cv, v_a, b_a):
        return location_scores(h, cubes @ A_cv.T, A_h, v_a, b_a)

    def score(b, n, k):
        return oracle.eq02_location_score(h[b], cubes[b, n, k], *parameters)

    same(scores(*map(torch.tensor, arrays)), over((videos, frames, P), score))
    if P <= 9:
        assert gradcheck(scores, leaves(*arrays))


@few
@given(seed=seeds, videos=small, frames=small, P=places, gamma=gammas)
@example(seed=2, videos=1, frames=1, P=36, gamma=5.0)
@example(seed=2, videos=1, frames=2, P=49, gamma=1.0)
def test_eq03_location_weights(seed, videos, frames, P, gamma):
    (scores,) = Draw(seed).arrays((videos, frames, P))
    found = sharpened_softmax(torch.tensor(scores), gamma)
    same(found, [[oracle.eq03_location_weights(row, gamma) for row in video] for video in scores])
    same(found.sum(-1), np.ones((videos, frames)))
    assert gradcheck(lambda s: sharpened_softmax(s, gamma), leaves(scores))


def test_eq03_large_scores_do_not_overflow():
    weights = sharpened_softmax(torch.tensor([[900.0, 899.0, -900.0]]), gamma=10.0)
    torch.testing.assert_close(weights, torch.tensor([[1 - 4.5398e-5, 4.5398e-5, 0.0]]))


@few
@given(seed=seeds, videos=small, frames=small, P=places, width=small)
@example(seed=3, videos=1, frames=1, P=36, width=2)
@example(seed=3, videos=1, frames=2, P=49, width=2)
def test_eq04_frame_features(seed, videos, frames, P, width):
    draw = Draw(seed)
    (cubes,) = draw.arrays((videos, frames, P, width))
    fused = draw.weights(videos, frames, P) + 0.1  # fused scores need not sum to 1
    expected = over((videos, frames), lambda *i: oracle.eq04_frame_feature(fused[i], cubes[i]))
    same(gather_places(torch.tensor(fused), torch.tensor(cubes)), expected)
    if P <= 9:
        assert gradcheck(gather_places, leaves(fused, cubes))


@few
@given(seed=seeds, videos=small, frames=small, width=small)
@example(seed=4, videos=2, frames=1, width=2)
def test_eq05_frame_scores(seed, videos, frames, width):
    arrays = _scored(Draw(seed), width, videos, frames)
    h, L, *parameters = arrays
    shape = (videos, frames)
    expected = over(shape, lambda b, n: oracle.eq05_frame_score(h[b], L[b, n], *parameters))
    same(frame_scores(*map(torch.tensor, arrays)), expected)
    assert gradcheck(frame_scores, leaves(*arrays))


@few
@given(seed=seeds, videos=small, frames=st.integers(1, 5), gamma=gammas, pad=st.integers(0, 3))
@example(seed=5, videos=1, frames=1, gamma=1.0, pad=0)
@example(seed=5, videos=2, frames=3, gamma=10.0, pad=2)
def test_eq06_frame_weights(seed, videos, frames, gamma, pad):
    (scores,) = Draw(seed).arrays((videos, frames + pad))
    valid = torch.arange(frames + pad) < frames
    expected = [
        oracle.eq06_frame_weights(row[:frames], gamma) + [0.0] * pad for row in scores.tolist()
    ]
    found = sharpened_softmax(torch.tensor(scores), gamma, valid if pad else None)
    same(found, expected)
    assert bool((found[:, frames:] == 0).all())
    assert gradcheck(lambda s: sharpened_softmax(s, gamma, valid), leaves(scores))


@few
@given(seed=seeds, videos=small, frames=small, width=small)
@example(seed=6, videos=1, frames=1, width=2)
def test_eq07_context(seed, videos, frames, width):
    draw = Draw(seed)
    (L,) = draw.arrays((videos, frames, width))
    fused = draw.weights(videos, frames) + 0.1
    expected = [oracle.eq07_context(fused[b], L[b]) for b in range(videos)]
    same(gather_frames(torch.tensor(fused), torch.tensor(L)), expected)
    assert gradcheck(gather_frames, leaves(fused, L))


def _lstm(draw: Draw, videos: int, width: int) -> list[np.ndarray]:
    d_h, d_fc, d_cv = width, width + 1, width + 2
    widths = (d_fc, d_cv, d_h)
    shapes = [(n, width) for n in (videos, 4 * d_h) for width in widths]
    return draw.arrays(*shapes, (4 * d_h,), (videos, d_h))


def _package_step(x, phi, h, U_x, U_phi, U_h, b, c):
    return lstm_step(x @ U_x.T, h, c, U_h, b, phi, U_phi)


GATES_OF = {
    "i": oracle.eq08_input_gate,
    "f": oracle.eq09_forget_gate,
    "o": oracle.eq10_output_gate,
    "g": oracle.eq11_candidate,
}


def _gates(arrays: list[np.ndarray], video: int, context: bool = True) -> dict[str, np.ndarray]:
    x, phi, h, *parameters, _ = arrays
    parts = (x[video], phi[video] if context else None, h[video], *parameters)
    return {name: gate(*parts) for name, gate in GATES_OF.items()}


def _open(arrays: list[np.ndarray], width: int, shut: dict[str, float]) -> list[np.ndarray]:
    """Set some gates' biases so far that they stand open (+) or shut (-), to see the others."""
    b = arrays[6].copy()
    for gate, bias in shut.items():
        row = oracle.GATE_ROWS[gate] * width
        b[row : row + width] = bias
    return [*arrays[:6], b, arrays[7]]


@pytest.mark.parametrize(
    ("gate", "shut"),
    [
        ("i", {"f": -60, "g": 60}),  # the past forgotten, the candidate at 1: c is the gate
        ("f", {"i": -60}),  # nothing let in: c is the gate times the old memory
        ("o", {"f": -60, "i": 60, "g": 60}),  # the memory held at 1: h is the gate times tanh(1)
        ("g", {"f": -60, "i": 60}),  # the past forgotten, the input gate open: c is the candidate
    ],
)
@few
@given(seed=seeds, videos=small, width=small)
def test_eq08_to_eq11_each_gate_by_itself(gate, shut, seed, videos, width):
    arrays = _open(_lstm(Draw(seed), videos, width), width, shut)
    h, c = _package_step(*map(torch.tensor, arrays))
    shown, factor = (h, np.tanh(1)) if gate == "o" else (c, arrays[7] if gate == "f" else 1.0)
    same(shown, factor * np.array([_gates(arrays, v)[gate] for v in range(videos)]))
    assert gradcheck(_package_step, leaves(*arrays))


@few
@given(seed=seeds, videos=small, width=small, context=st.booleans())
def test_eq12_and_eq13_memory_and_hidden_state(seed, videos, width, context):
    arrays = _lstm(Draw(seed), videos, width)
    gates = [_gates(arrays, v, context) for v in range(videos)]
    memory = [
        oracle.eq12_memory(g["f"], c, g["i"], g["g"]) for g, c in zip(gates, arrays[7], strict=True)
    ]

    def step(x, h, U_x, U_h, b, c, *seen):
        return lstm_step(x @ U_x.T, h, c, U_h, b, *(seen or (None, None)))

    used = [arrays[i] for i in (0, 2, 3, 5, 6, 7, *((1, 4) if context else ()))]
    found_h, found_c = step(*map(torch.tensor, used))
    same(found_c, memory)
    same(found_h, [oracle.eq13_hidden(g["o"], c) for g, c in zip(gates, memory, strict=True)])
    assert gradcheck(step, leaves(*used))


@pytest.mark.parametrize("fusion", ["max", "mean"])
@few
@given(seed=seeds, videos=small, frames=small, P=places)
@example(seed=7, videos=1, frames=1, P=36)
@example(seed=7, videos=1, frames=2, P=49)
def test_eq14_fused_location_weights(fusion, seed, videos, frames, P):
    draw = Draw(seed)
    both = [draw.weights(videos, frames, P) for _ in range(2)]
    shape = (videos, frames)
    expected = over(shape, lambda *i: oracle.eq14_fused_locations([a[i] for a in both], fusion))
    found = fuse_scores([torch.tensor(a) for a in both], fusion)
    same(found, expected)
    total = found.sum(-1)
    assert bool(((total > 1 - 1e-12) & (total < 2 + 1e-12)).all())
    if P > 1:  # with one place both weights are 1: a tie, where max has no derivative
        assert gradcheck(lambda a, m: fuse_scores([a, m], fusion), leaves(*both))


@pytest.mark.parametrize("fusion", ["max", "mean"])
@few
@given(seed=seeds, videos=small, frames=st.integers(2, 5))
def test_eq15_fused_frame_weights(fusion, seed, videos, frames):
    draw = Draw(seed)
    both = [draw.weights(videos, frames) for _ in range(2)]
    expected = [oracle.eq15_fused_frames([a[b] for a in both], fusion) for b in range(videos)]
    same(fuse_scores([torch.tensor(a) for a in both], fusion), expected)
    rescaled = [[weight / sum(row) for weight in row] for row in expected]
    same(fuse_scores([torch.tensor(a) for a in both], fusion, renormalize=True), rescaled)
    for renormalize in (False, True):
        assert gradcheck(lambda a, m, r=renormalize: fuse_scores([a, m], fusion, r), leaves(*both))
    one = torch.ones(3, 1, dtype=torch.float64)  # one frame keeps weight one
    same(fuse_scores([one, one], fusion), np.ones((3, 1)))


@few
@given(seed=seeds, videos=small, steps=small, width=small, classes=st.integers(1, 4))
@example(seed=8, videos=1, steps=1, width=2, classes=3)
def test_eq16_prediction(seed, videos, steps, width, classes):
    hidden, matrix = (videos, steps, width), (classes, width)
    arrays = Draw(seed).arrays(hidden, hidden, matrix, matrix, (classes,))
    h_a, h_m, W_a, W_m, b = arrays

    def log_y_hat(h_a, h_m, W_a, W_m, b):
        return torch.log_softmax(classify([h_a, h_m], [W_a, W_m], b), dim=-1)

    shape = (videos, steps)
    expected = over(shape, lambda *i: oracle.eq16_prediction([h_a[i], h_m[i]], [W_a, W_m], b))
    same(log_y_hat(*map(torch.tensor, arrays)).exp(), expected)
    assert gradcheck(log_y_hat, leaves(*arrays))


@few
@given(seed=seeds, videos=small, steps=small, classes=st.integers(1, 4))
def test_score_fusion_averages_the_softmaxes(seed, videos, steps, classes):
    both = Draw(seed).arrays((videos, steps, classes), (videos, steps, classes))

    def mean(*i):
        return sum(np.array(oracle.softmax(one[i])) for one in both) / 2

    expected = over((videos, steps), mean)
    same(average_scores([torch.tensor(a) for a in both]).exp(), expected)
    assert gradcheck(lambda a, m: average_scores([a, m]), leaves(*both))


def _lengths(draw: Draw, videos: int, steps: int, padded: bool) -> np.ndarray:
    return draw.rng.integers(1 if padded else steps, steps + 1, videos)


@few
@given(seed=seeds, videos=small, steps=small, classes=st.integers(1, 4), padded=st.booleans())
@example(seed=9, videos=2, steps=1, classes=3, padded=False)
@example(seed=9, videos=3, steps=3, classes=3, padded=True)
def test_eq17_main_loss(seed, videos, steps, classes, padded):
    draw = Draw(seed)
    (logits,) = draw.arrays((videos, steps, classes))
    labels = draw.rng.integers(0, classes, videos)
    lengths = _lengths(draw, videos, steps, padded)
    expected = 0.0
    for v in range(videos):
        y_hat = [oracle.softmax(row) for row in logits[v, : lengths[v]]]
        expected += oracle.eq17_main_loss(y_hat, labels[v]) / videos
    mask = torch.arange(steps) < torch.tensor(lengths)[:, None]
    labels = torch.tensor(labels)
    same(main_loss(torch.tensor(logits), labels, mask if padded else None), expected)
    assert gradcheck(lambda x: main_loss(x, labels, mask), leaves(logits))


@pytest.mark.parametrize("kind", ["l2", "ce"])
@few
@given(seed=seeds, videos=small, steps=small, P=places, padded=st.booleans())
@example(seed=11, videos=2, steps=1, P=36, padded=False)
@example(seed=11, videos=3, steps=3, P=49, padded=True)
def test_eq18_actor_attention_loss(kind, seed, videos, steps, P, padded):
    draw = Draw(seed)
    maps, target = 1.3 * draw.weights(videos, steps, P), draw.silhouettes(videos, steps, P)
    lengths = _lengths(draw, videos, steps, padded)
    equation = oracle.eq18_actor_attention if kind == "l2" else oracle.eq18_cross_entropy
    expected = sum(
        equation(maps[v, : lengths[v]], target[v, : lengths[v]]) / videos for v in range(videos)
    )
    mask = torch.arange(steps) < torch.tensor(lengths)[:, None]
    M = torch.tensor(target)
    same(actor_attention_loss(torch.tensor(maps), M, mask if padded else None, kind), expected)
    if P <= 9:
        assert gradcheck(lambda a: actor_attention_loss(a, M, mask, kind), leaves(maps))


@pytest.mark.parametrize("kind", ["l2", "ce"])
def test_eq18_frames_without_silhouette_contribute_nothing(kind):
    draw = Draw(12)
    maps, target = draw.weights(2, 3, 4), np.zeros((2, 3, 4))
    assert actor_attention_loss(torch.tensor(maps), torch.tensor(target), kind=kind).item() == 0
    target[1, 2, 0] = 1.0
    loss = actor_attention_loss(torch.tensor(maps), torch.tensor(target), kind=kind)
    only = actor_attention_loss(torch.tensor(maps[1:, 2:]), torch.tensor(target[1:, 2:]), kind=kind)
    torch.testing.assert_close(loss, only / 2)
    assert loss.item() > 0


@pytest.mark.parametrize("kind", ["l2", "ce"])
def test_eq18_unfused_streams_average_their_losses(kind):
    draw = Draw(13)
    a, m = (torch.tensor(draw.weights(2, 3, 4)) for _ in range(2))
    M = torch.tensor(draw.silhouettes(2, 3, 4))
    losses = [actor_attention_loss(one, M, kind=kind) for one in (a, m)]
    both = actor_attention_loss({"appearance": a, "motion": m}, M, kind=kind)
    torch.testing.assert_close(both, (losses[0] + losses[1]) / 2)
    assert losses[0].item() != pytest.approx(losses[1].item())


def test_eq18_cross_entropy_of_a_vanished_score_is_finite():
    maps = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]], requires_grad=True)
    loss = actor_attention_loss(maps, torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]), kind="ce")
    loss.backward()
    assert torch.isfinite(loss)
    assert loss.item() > 80  # -log of the smallest normal float32
    assert bool(torch.isfinite(maps.grad).all())


@few
@given(main=st.floats(-9, 9), other=st.floats(-9, 9), lam=st.floats(0, 2))
def test_eq19_total_loss(main, other, lam):
    parts = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (main, other)]
    same(total_loss(*parts, lam), oracle.eq19_total_loss(main, other, lam))
    assert gradcheck(lambda a, b: total_loss(a, b, lam), parts)


def test_multi_task_loss_weighs_the_data_sets():
    losses = {"ucf101": torch.tensor(3.0), "jhmdb": torch.tensor(5.0)}
    found = multi_task_loss(losses, {"jhmdb": 1.0, "ucf101": 0.1})
    torch.testing.assert_close(found, torch.tensor(5.3))
