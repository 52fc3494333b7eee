"""How each equation is computed three ways: by a notebook's hand, by the package, by the oracle.

A case draws random inputs of random shapes, names them by the paper's symbols, and returns the
three results for one video. Notebooks write their functions in the same symbols, so an argument is
found by its name. The functions themselves are handed in: those that `equations.yml` names.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import oracle
import torch
from torch import Tensor

Results = tuple[Any, Any, Any]
ALIASES = {
    "CV": ("cubes", "places"),
    "maps": ("cube", "feature_maps"),
    "gamma_alpha": ("gamma",),
    "gamma_beta": ("gamma",),
    "scores": ("alpha_score", "beta_score", "alpha_scores", "beta_scores"),
    "h": ("h_before", "h_last", "h_previous", "h_prev"),
    "c": ("c_before", "c_last", "c_previous", "c_prev"),
    "c_t": ("c_new", "c_now", "c"),
    "x": ("FC",),
    "Phi": ("phi",),
    "alpha_com": ("alpha",),
    "lambda_AA": ("lambda_aa",),
    "L_main": ("main",),
    "L_AA": ("actor_attention",),
}


class Draw:
    """Random sizes and float64 values from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def sizes(self, count: int, low: int = 1, high: int = 5) -> list[int]:
        return [int(n) for n in self.rng.integers(low, high + 1, count)]

    def real(self, *shape: int) -> Tensor:
        return torch.tensor(self.rng.normal(size=shape))

    def weights(self, *shape: int) -> Tensor:
        return torch.softmax(self.real(*shape), dim=-1)

    def gamma(self) -> float:
        return float(self.rng.uniform(0.2, 5))


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the oracle, handed NumPy arrays in the place of tensors."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.numpy() if isinstance(value, Tensor) else value

    return lambda *arguments: function(*map(plain, arguments))


def call(function: Callable[..., Any], symbols: Mapping[str, Any]) -> Any:
    """Call a function with the symbols that its arguments are named after."""
    known = {alias: value for name, value in symbols.items() for alias in ALIASES.get(name, ())}
    known |= symbols
    needed = inspect.signature(function).parameters.values()
    missing = [p.name for p in needed if p.name not in known and p.default is p.empty]
    name = getattr(function, "__name__", str(function))
    assert not missing, f"{name} wants {missing}; the case knows {sorted(known)}"
    return function(**{p.name: known[p.name] for p in needed if p.name in known})


def eq01(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    d_cv, K = draw.sizes(2)
    maps = draw.real(d_cv, K, K)
    cube = maps.permute(1, 2, 0)  # the oracle's (K, K, d_cv)
    return call(hand, {"maps": maps, "CV": maps}), package(maps), check(cube)


def eq02(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    N, P, d_cv, d_att, d_h = draw.sizes(5)
    CV, h = draw.real(N, P, d_cv), draw.real(d_h)
    A_h, A_cv, v_a, b_a = draw.real(d_att, d_h), draw.real(d_att, d_cv), *draw.real(2, d_att)
    symbols = {"h": h, "CV": CV, "A_h": A_h, "A_cv": A_cv, "v_a": v_a, "b_a": b_a}
    theirs = package(h[None], (CV @ A_cv.T)[None], A_h, v_a, b_a)[0]
    loops = [[check(h, CV[n, k], A_h, A_cv, v_a, b_a) for k in range(P)] for n in range(N)]
    return call(hand, symbols), theirs, loops


def eq03(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    N, P = draw.sizes(2, 2)
    scores, gamma = draw.real(N, P), draw.gamma()
    mine = call(hand, {"scores": scores, "gamma_alpha": gamma})
    return mine, package(scores, gamma), [check(row, gamma) for row in scores]


def eq04(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    N, P, d_cv = draw.sizes(3)
    alpha, CV = draw.weights(N, P), draw.real(N, P, d_cv)
    loops = [check(alpha[n], CV[n]) for n in range(N)]
    return call(hand, {"alpha": alpha, "CV": CV}), package(alpha[None], CV[None])[0], loops


def eq05(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    N, d_cv, d_att, d_h = draw.sizes(4)
    L, h = draw.real(N, d_cv), draw.real(d_h)
    B_h, B_L, v_b, b_b = draw.real(d_att, d_h), draw.real(d_att, d_cv), *draw.real(2, d_att)
    symbols = {"h": h, "L": L, "B_h": B_h, "B_L": B_L, "v_b": v_b, "b_b": b_b}
    theirs = package(h[None], L[None], B_h, B_L, v_b, b_b)[0]
    return call(hand, symbols), theirs, [check(h, row, B_h, B_L, v_b, b_b) for row in L]


def eq06(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    (N,) = draw.sizes(1, 2)
    scores, gamma = draw.real(N), draw.gamma()
    mine = call(hand, {"scores": scores, "gamma_beta": gamma})
    return mine, package(scores, gamma), check(scores, gamma)


def eq07(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    N, d_cv = draw.sizes(2)
    beta, L = draw.weights(N), draw.real(N, d_cv)
    theirs = package(beta[None], L[None])[0]
    return call(hand, {"beta": beta, "L": L}), theirs, check(beta, L)


def _lstm(draw: Draw, shut: Mapping[str, float]) -> dict[str, Any]:
    """Inputs of a step; `shut` sets gates' biases so far that they stand open (+) or shut (-)."""
    d_h, d_fc, d_cv = draw.sizes(3)
    shapes = {"U_x": (4 * d_h, d_fc), "U_phi": (4 * d_h, d_cv), "U_h": (4 * d_h, d_h)}
    symbols: dict[str, Any] = {name: draw.real(*shape) for name, shape in shapes.items()}
    symbols |= {"x": draw.real(d_fc), "Phi": draw.real(d_cv), "h": draw.real(d_h)}
    symbols |= {"c": draw.real(d_h), "b": draw.real(4 * d_h)}
    for gate, bias in shut.items():
        symbols["b"][oracle.GATE_ROWS[gate] * d_h :][:d_h] = bias
    return symbols


def _step(package: Callable, s: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    ux = s["U_x"] @ s["x"]
    h, c = package(
        ux[None], s["h"][None], s["c"][None], s["U_h"], s["b"], s["Phi"][None], s["U_phi"]
    )
    return h[0], c[0]


def _inside(s: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    return tuple(s[name] for name in ("x", "Phi", "h", "U_x", "U_phi", "U_h", "b"))


def _one_gate(gate: str, shut: Mapping[str, float]) -> Callable[..., Results]:
    """A gate alone: the others stand open or shut, so that the package's step shows it."""

    def case(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
        s = _lstm(draw, shut)
        d_h, row = len(s["h"]), oracle.GATE_ROWS[gate]
        block = slice(row * d_h, (row + 1) * d_h)
        own = {name: s[name][block] for name in ("U_x", "U_phi", "U_h", "b")}
        h, c = _step(package, s)
        shown = {"f": c / s["c"], "o": h / np.tanh(1)}.get(gate, c)
        return call(hand, s | own), shown, check(*_inside(s))

    return case


eq08 = _one_gate("i", {"f": -60, "g": 60})
eq09 = _one_gate("f", {"i": -60})
eq10 = _one_gate("o", {"f": -60, "i": 60, "g": 60})
eq11 = _one_gate("g", {"f": -60, "i": 60})


def _all_gates(s: Mapping[str, Tensor]) -> dict[str, Tensor]:
    gates = (oracle.eq08_input_gate, oracle.eq09_forget_gate, oracle.eq10_output_gate)
    found = [on_arrays(gate)(*_inside(s)) for gate in (*gates, oracle.eq11_candidate)]
    return {name: torch.tensor(value) for name, value in zip("ifog", found, strict=True)}


def eq12(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    s = _lstm(draw, {})
    gates = _all_gates(s)
    loops = check(gates["f"], s["c"], gates["i"], gates["g"])
    return call(hand, {**s, **gates}), _step(package, s)[1], loops


def eq13(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    s = _lstm(draw, {})
    gates = _all_gates(s)
    h, c = _step(package, s)
    return call(hand, {"o": gates["o"], "c_t": c}), h, check(gates["o"], c)


def _fusion(symbol: str, shape: int) -> Callable[..., Results]:
    def case(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
        sizes = draw.sizes(shape)
        a, m = draw.weights(*sizes), draw.weights(*sizes)
        symbols = {f"{symbol}_a": a, f"{symbol}_m": m, symbol: {"appearance": a, "motion": m}}
        loops = check([a.flatten().tolist(), m.flatten().tolist()])
        return call(hand, symbols), package([a, m]), np.reshape(loops, sizes)

    return case


eq14, eq15 = _fusion("alpha", 2), _fusion("beta", 1)


def eq16(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    d_h, C = draw.sizes(2)
    h_a, h_m, W_a, W_m = *draw.real(2, d_h), *draw.real(2, C, d_h)
    b_am = draw.real(C)
    symbols = {"h_a": h_a, "h_m": h_m, "W_a": W_a, "W_m": W_m, "b_am": b_am}
    theirs = torch.softmax(package([h_a, h_m], [W_a, W_m], b_am), dim=-1)
    return call(hand, symbols), theirs, check([h_a, h_m], [W_a, W_m], b_am)


def eq17(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    T, C = draw.sizes(2, 2)
    logits, label = draw.real(T, C), int(draw.rng.integers(C))
    y_hat = torch.softmax(logits, dim=-1)
    y = torch.nn.functional.one_hot(torch.full((T,), label), C).double()
    decay = 0.1 if "Theta" in inspect.signature(hand).parameters else 0.0  # the last term, or not
    theta = [draw.real(2, 3), draw.real(4)]
    symbols = {"y_hat": y_hat, "y": y, "label": label, "Theta": theta, "lambda_Theta": decay}
    norm = torch.cat([value.flatten() for value in theta]).norm()  # left to the optimiser
    theirs = package(logits[None], torch.tensor([label])) + decay * norm
    return call(hand, symbols), theirs, check(y_hat, label, decay, theta)


def _actor(kind: str) -> Callable[..., Results]:
    def case(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
        T, P = draw.sizes(2, 2)
        alpha = torch.maximum(draw.weights(T, P), draw.weights(T, P))
        touched = torch.tensor(draw.rng.random((T, P)) < 0.5)
        touched[0] = False  # a frame without silhouette
        M = touched.double() / touched.sum(-1, keepdim=True).clamp_min(1)
        theirs = package(alpha[None], M[None], kind=kind)
        return call(hand, {"alpha_com": alpha, "M": M}), theirs, check(alpha.tolist(), M.tolist())

    return case


eq18, eq18_ce = _actor("l2"), _actor("ce")


def eq19(hand: Callable, package: Callable, check: Callable, draw: Draw) -> Results:
    main, other = draw.real(2).abs()
    symbols = {"L_main": main, "L_AA": other, "lambda_AA": 0.5}
    return call(hand, symbols), package(main, other, 0.5), check(main, other, 0.5)
