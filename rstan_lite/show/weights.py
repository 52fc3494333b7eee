"""Attention as numbers: its sharpness (Eq. 3, 6), its fusion (Eq. 14-15), its course over steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray
from scipy.special import entr, softmax

from rstan_lite.data.transforms import Geometry
from rstan_lite.show import style
from rstan_lite.show.charts import line_chart
from rstan_lite.show.frames import Frames, common_peak, overlay
from rstan_lite.show.strips import attention_strip, heat_bar
from rstan_lite.show.style import describe, heat_panels, listed, new_figure, panel, styled

EVEN: Any = {"color": style.BLACK, "linewidth": 1.0, "linestyle": (0, (3, 2))}  # of even weights
WIDTH = 1.25  # inches that one frame of a step is wide
MOST_TICKS = 10  # of an axis of steps or frames: more would touch


def sharpened(scores: NDArray, gamma: float) -> NDArray[np.float64]:
    """Weights of Eq. 3 in NumPy: scores (P,) and sharpness to weights (P,) that sum to 1."""
    return softmax(gamma * np.asarray(scores, np.float64))


def effective_number(weights: NDArray) -> float:
    """How many places or frames share the weight: exp of its entropy, 1 for one, n for even."""
    return float(np.exp(entr(np.asarray(weights, np.float64)).sum()))


@styled
def sharpness_figure(
    frame: Frames, scores: NDArray, gamma: float, crop: Geometry | None = None
) -> Figure:
    """Show one frame's location weights at a sharpness: over the frame, and sorted by size.

    frame: (H, W, 3) uint8. scores: (P,) un-normalised, of Eq. 2. gamma: 0 or more. crop: what the
    network saw. Scales are the same for every gamma: full strength is a weight of 0.25.
    """
    alpha, peak = sharpened(scores, gamma), 0.25
    places, count = len(alpha), effective_number(alpha)
    figure = new_figure(8.2, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    laid = overlay(frame, alpha, crop, peak=peak)
    panel(left, laid, f"weights at $\\gamma_\\alpha$ = {gamma:g}")
    heat_bar(figure, np.array([left]), peak, places, bool(alpha.max() > peak))
    right.bar(range(1, places + 1), np.sort(alpha)[::-1], color=style.VERMILION, width=0.9)
    right.axhline(1 / places, **EVEN)
    right.text(places, 1 / places * 1.15, "even", ha="right", va="bottom", fontsize=8)
    right.set(xlabel="places, largest weight first", ylabel="weight $\\alpha$")
    right.set(yscale="log", ylim=(1e-4, 1.3), xlim=(0, places + 1))
    right.set_title(f"as if shared by {count:.1f} of {places} places")
    return describe(
        figure,
        f"Location weights at sharpness {gamma:g}: the largest is {alpha.max():.3f}, the smallest "
        f"{alpha.min():.3g}; shared as if by {count:.1f} of {places} places.",
    )


def sharpness_curves(
    scores: NDArray, gammas: Sequence[float], mark: Sequence[float] = ()
) -> Figure:
    """Show each place's weight against the sharpness.

    scores: (P,), P up to 6. gammas: of the points. mark: values with an upright line.
    """
    weights = np.stack([sharpened(scores, gamma) for gamma in gammas], axis=-1)  # (P, gammas)
    named = zip(scores, weights, strict=True)
    lines = {f"place {k}, score {s:.2f}": line for k, (s, line) in enumerate(named, 1)}
    words: Any = {"xlabel": r"sharpness $\gamma_\alpha$", "ylabel": r"weight $\alpha$"}
    return line_chart(gammas, lines, marks={f"{gamma:g}": gamma for gamma in mark}, **words)


@styled
def covering_figure(area: NDArray, largest: NDArray, rules: Mapping[str, float]) -> Figure:
    """Show which frames end with nobody when a place must be covered by a certain share.

    area: (n,) share of the view that the silhouette covers, frames with somebody only. largest:
    (n,) the largest share that it covers of any place. rules: label -> the share of a place that
    must be covered. Frames below a rule's line end with no place at all.
    """
    area, largest = np.asarray(area, np.float64), np.asarray(largest, np.float64)
    lost = {label: float((largest < share).mean()) for label, share in rules.items()}
    figure, axes = style.new_axes(7.0, 3.6)
    axes.scatter(100 * area, 100 * largest, s=9, color="#777777", alpha=0.6, linewidths=0)
    for (label, share), line in zip(rules.items(), style.LINES[1:], strict=False):
        colour, words = line["color"], f"{label}: {style.percent(lost[label], 1)} end with nobody"
        axes.axhline(100 * share, color=colour, linestyle=line["linestyle"])
        axes.annotate(words, (1.02, 100 * share), color=colour, fontsize=8, **style.BESIDE)
    axes.set(xlabel="person's share of the view (%, logarithmic)", ylabel="best covered place (%)")
    axes.set(xscale="log", ylim=(-2, 104), title="below a line: no place at all under that rule")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    said = listed({label: f"{v:.1%}" for label, v in lost.items()})
    return describe(figure, f"Of {len(area)} frames with a person, lost by rule: {said}.")


@styled
def frame_sharpness(scores: NDArray, gamma_beta: float = 1.0) -> Figure:
    """Show un-normalised frame scores and the weights that Eq. 6 makes of them.

    scores: (N,) of Eq. 5. gamma_beta: 0 or more. The title says over how many frames the weight is
    spread, see `effective_number`.
    """
    scores = np.asarray(scores, dtype=np.float64)
    beta, names = sharpened(scores, gamma_beta), [str(n + 1) for n in range(len(scores))]
    spread, figure = effective_number(beta), new_figure(7.0, 2.8)
    left, right = figure.subplots(1, 2)
    looks: Any = {"color": style.ORANGE}, {"color": style.BLUE, "hatch": "//"}
    for axis, values, look in zip((left, right), (scores, beta), looks, strict=True):
        bars = axis.bar(names, values, edgecolor="white", **look)
        axis.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
        axis.set(xlabel="frame n")
    left.axhline(0, color=style.BLACK, linewidth=0.8)
    left.margins(y=0.18)
    left.set(ylabel="score of Eq. 5")
    right.axhline(1 / len(beta), **EVEN)
    right.text(len(beta) - 0.5, 1 / len(beta), "1/N", ha="right", va="bottom", fontsize=8)
    right.set(ylabel=r"weight $\beta$ of Eq. 6", ylim=(0, 1.08))
    right.set_title(rf"$\gamma_\beta$ = {gamma_beta:g}: spread over {spread:.2f} frames")
    weights = ", ".join(f"{weight:.3f}" for weight in beta)
    text = f"frame weights {weights}; spread over {spread:.2f} of {len(beta)} frames."
    return describe(figure, f"gamma_beta {gamma_beta:g}: {text}")


@styled
def features_figure(rows: Mapping[str, NDArray], *, first: int = 40) -> Figure:
    """Show feature vectors below each other, in the channels where they differ most.

    rows: label -> (d,), not negative, all on one scale from 0. first: how many channels are shown,
    those with the largest spread over the rows, sorted by the last row.
    """
    table = np.array([np.asarray(row, np.float64) for row in rows.values()])  # (rows, d)
    chosen = np.argsort(table.max(0) - table.min(0))[::-1][:first]
    chosen = chosen[np.argsort(table[-1, chosen])]
    size, look = (7.6, 0.42 * len(rows) + 1.0), {"cmap": "magma_r", "vmin": 0, "linewidths": 0}
    tables, what = {"": table[:, chosen]}, f"the {len(chosen)} of {table.shape[1]} channels"
    names: Any = f"{what} that differ most, sorted by the last row", ""
    figure, (axes,) = heat_panels(tables, list(rows), {"": ()}, size, "value", names, **look)
    axes.hlines(range(1, len(rows)), *axes.get_xlim(), color="white", linewidth=3)
    lengths = ", ".join(f"{k}: {np.linalg.norm(v):.2f}" for k, v in zip(rows, table, strict=True))
    return describe(figure, f"{len(rows)} feature vectors as rows of colour. Lengths: {lengths}.")


@styled
def fused_bars(appearance: NDArray, motion: NDArray, *, what: str = "place") -> Figure:
    """Show two streams' weights side by side, and under a line their maximum (Eq. 14 or 15).

    appearance, motion: (N,), each summing to 1. what: an entry, "place" or "frame". The legend has
    the sums; the maximum's is 1 plus half of the sum of |appearance - motion|.
    """
    a, m = np.asarray(appearance, float), np.asarray(motion, float)
    fused, at = np.maximum(a, m), np.arange(len(a), dtype=float)
    figure, axis = style.new_axes(3.4 + 0.8 * len(a), 2.8)
    for values, name, shift, hatch in ((a, "appearance", -0.19, ""), (m, "motion", 0.19, "//")):
        look: Any = {"color": style.STREAM_COLOURS[name], "edgecolor": "white", "hatch": hatch}
        axis.bar(at + shift, values, 0.36, label=f"{name}, sum {values.sum():.2f}", **look)
    label = f"maximum, sum {fused.sum():.2f}"
    axis.hlines(fused, at - 0.42, at + 0.42, color=style.BLACK, linewidth=2.2, label=label)
    axis.set_xticks(at, [str(k + 1) for k in range(len(a))])
    axis.set(xlabel=what, ylabel="weight", ylim=(0, 1.15 * float(fused.max())))
    figure.legend(loc="outside right center")
    return describe(
        figure,
        f"Weights of {len(a)} {what}s. Sums: appearance {a.sum():.3f}, motion {m.sum():.3f}, "
        f"maximum {fused.sum():.3f}; half of the absolute differences adds up to "
        f"{np.abs(a - m).sum() / 2:.3f}.",
    )


def fusion_figure(frames: Frames, maps: Mapping[str, NDArray], **around: Any) -> Figure:
    """Show the streams' maps over frames, and below them their mean and their maximum (Eq. 14).

    frames: (n, H, W, 3) uint8. maps: stream -> (n, P). around: more of `attention_strip`.
    """
    stack = np.stack([np.asarray(one, float) for one in maps.values()])  # (S, n, P)
    rows = {**maps, "mean": stack.mean(0), "maximum": stack.max(0)}
    figure = attention_strip(frames, rows, title="two streams, and two ways to fuse them", **around)
    sums = {k: ", ".join(f"{s:.3f}" for s in np.asarray(row).sum(-1)) for k, row in rows.items()}
    return describe(figure, f"Fusion. Sums of the maps over their places: {listed(sums)}.")


def by_frame(
    beta: NDArray, frames: NDArray | None = None, valid: NDArray | None = None
) -> NDArray[np.float64]:
    """Lay frame weights out by the frame they belong to.

    beta: (T, N) weights of step t for its N attended frames. frames: (T, N), the sampled frame of
    each (None: all, in order). valid: (T, N), False past the end. Returns (T, T) or wider, NaN for
    frames that a step does not look at.
    """
    beta = np.asarray(beta, dtype=np.float64)
    frames = np.broadcast_to(np.arange(beta.shape[1]), beta.shape) if frames is None else frames
    valid = np.ones(beta.shape, bool) if valid is None else np.asarray(valid, bool)
    table = np.full((len(beta), max(len(beta), int(frames[valid].max()) + 1)), np.nan)
    table[np.nonzero(valid)[0], frames[valid]] = beta[valid]
    return table


@styled
def beta_heatmap(
    beta: Mapping[str, NDArray], frames: NDArray | None = None, valid: NDArray | None = None, *,
    indices: Sequence[int], title: str = "",
) -> Figure:  # fmt: skip
    """Show which sampled frames each step of the LSTM attends to, a panel a set of weights.

    beta: panel label -> (T, N), on one scale from 0. frames, valid: see `by_frame`; frames that a
    step does not look at are hatched. indices: the sampled frames' numbers in the clip.
    """
    tables = {label: by_frame(one, frames, valid) for label, one in beta.items()}
    steps, n = next(iter(tables.values())).shape
    hatched = any(np.isnan(table).any() for table in tables.values())
    label = "frame weight (hatched: not looked at)" if hatched else "frame weight"
    look: Any = {"vmin": 0, "vmax": max(float(np.nanmax(table)) for table in tables.values())}
    look |= {"cmap": "Blues", "square": True, "linecolor": "white", "annot": n <= 8, "fmt": ".2f"}
    every, size = -(-n // MOST_TICKS), (1.2 + 2.6 * len(tables), 3.4)
    rows = [str(t + 1) if t % every == 0 else "" for t in range(steps)]
    columns = [str(int(k)) if i % every == 0 else "" for i, k in enumerate(indices)]
    heads = dict.fromkeys(tables, columns)
    names = "frame of the clip", "step t"
    figure, axes = heat_panels(tables, rows, heads, size, label, names, **look)
    for axis in axes:
        axis.patch.set(facecolor="white", edgecolor="#cccccc", hatch="////", linewidth=0)
    sums = {label: f"{np.nansum(table, axis=1).mean():.2f}" for label, table in tables.items()}
    text = f"frame weights of {steps} steps over {n} frames. Mean sum of a row: {listed(sums)}."
    return describe(figure, text, title)


@styled
def attended_figure(seen: Mapping[str, NDArray], *, title: str = "") -> Figure:
    """Show which frames each step may look at, a panel for each rule.

    seen: name of the rule -> (T, n) bool, True where step t may look at frame n, of one shape.
    """
    tables = {name: np.asarray(table, bool) for name, table in seen.items()}
    steps, n = next(iter(tables.values())).shape
    rows, heads = ([str(k + 1) for k in range(length)] for length in (steps, n))
    columns, size = dict.fromkeys(tables, heads), (0.8 + 2.3 * len(tables), 3.4)
    look: Any = {"cmap": "Blues", "vmin": 0, "vmax": 1.6, "square": True}
    figure, _ = heat_panels(tables, rows, columns, size, names=("frame n", "step t"), **look)
    said = {name: ", ".join(map(str, table.sum(1).tolist())) for name, table in tables.items()}
    text = f"Number of frames that each step may look at. {listed(said)}."
    return describe(figure, text, title)


@styled
def step_attention(
    frames: Frames, alpha: NDArray, beta: NDArray, step: int = 1, *, indices: Sequence[int],
    crop: Geometry | None = None,
) -> Figure:  # fmt: skip
    """Show one step's attention: alpha over every frame, and beta as a bar under each.

    frames: (T, H, W, 3) uint8. alpha: (T, T, P), beta: (T, T) of all steps, on scales of all steps.
    step: t, counted from 1; its own frame is framed. indices: the frames' numbers in the clip.
    """
    alpha, beta, steps = np.asarray(alpha), np.asarray(beta), len(frames)
    if not 1 <= step <= steps:
        raise ValueError(f"step {step} of {steps}")
    peak, most = common_peak(alpha.reshape(steps * steps, -1)), max(float(beta.max()), 2 / steps)
    tall, wide = frames.shape[1:3]
    figure = new_figure(WIDTH * steps + 0.7, 2 * WIDTH * tall / wide + 0.7)
    grid = figure.add_gridspec(2, steps)
    axes = [figure.add_subplot(grid[0, n]) for n in range(steps)]
    for n, axis in enumerate(axes):
        laid = overlay(frames[n], alpha[step - 1, n], crop, peak=peak)
        panel(axis, laid, f"frame {int(indices[n])}\n{'(own)' if n == step - 1 else ''}")
    own: Any = {"fill": False, "color": style.ORANGE, "linewidth": 4}
    axes[step - 1].add_patch(Rectangle((-0.5, -0.5), wide, tall, **own))
    axes[0].set_ylabel(rf"$\alpha_{{{step}}}(n, \cdot)$")
    below = figure.add_subplot(grid[1, :])
    bars = below.bar(range(steps), beta[step - 1], 0.5, color=style.BLUE, edgecolor="black")
    below.axhline(1 / steps, **EVEN)
    below.bar_label(bars, fmt="%.2f", fontsize=8, padding=1)
    below.set(xlim=(-0.5, steps - 0.5), ylim=(0, 1.25 * most), xticks=[], yticks=[])
    below.set_ylabel(rf"$\beta_{{{step}}}(n)$")
    weights = ", ".join(f"{weight:.3f}" for weight in beta[step - 1])
    largest = ", ".join(f"{weight:.3f}" for weight in alpha[step - 1].max(-1))
    return describe(
        figure,
        f"Step {step} of {steps}. Frame weights beta: {weights}. "
        f"Largest place weight alpha in each frame: {largest}.",
    )
