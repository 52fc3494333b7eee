"""Figures of the streams' meeting (Eq. 14-15) and of a choice between trained models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.data.transforms import Geometry
from rstan_lite.show.clips import attention_strip
from rstan_lite.show.pixels import common_peak
from rstan_lite.show.style import BLACK, STREAM_COLOURS, describe, new_figure, styled

FUSIONS = ("none", "mean", "max")


@styled
def fused_bars(
    appearance: NDArray, motion: NDArray, *, what: str = "place", title: str = ""
) -> Figure:
    """Show two streams' weights side by side, and under a line their maximum (Eq. 14 or 15).

    appearance, motion: (N,), each summing to 1. what: the name of an entry, "place" or "frame".
    The title of the axes gives the three sums; the maximum's is 1 plus half of the sum of
    |appearance - motion|.
    """
    a, m = np.asarray(appearance, float), np.asarray(motion, float)
    if a.shape != m.shape or a.ndim != 1:
        raise ValueError(f"two rows of weights of one length, not {a.shape} and {m.shape}")
    fused = np.maximum(a, m)
    figure = new_figure(3.4 + 0.8 * len(a), 2.8)
    axis = figure.subplots()
    at = np.arange(len(a), dtype=float)
    for values, name, shift, hatch in ((a, "appearance", -0.19, ""), (m, "motion", 0.19, "//")):
        colour, label = STREAM_COLOURS[name], f"{name}, sum {values.sum():.2f}"
        axis.bar(
            at + shift, values, 0.36, label=label, color=colour, edgecolor="white", hatch=hatch
        )
    label = f"maximum, sum {fused.sum():.2f}"
    axis.hlines(fused, at - 0.42, at + 0.42, color=BLACK, linewidth=2.2, label=label)
    axis.set_xticks(at, [str(k + 1) for k in range(len(a))])
    axis.set(xlabel=what, ylabel="weight", ylim=(0, 1.15 * float(fused.max())))
    handles, labels = axis.get_legend_handles_labels()
    order = [labels.index(name) for name in sorted(labels, key=lambda name: "maximum" in name)]
    figure.legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="outside right center"
    )
    if title:
        figure.suptitle(title)
    return describe(
        figure,
        f"Weights of {len(a)} {what}s. Sums: appearance {a.sum():.3f}, motion {m.sum():.3f}, "
        f"maximum {fused.sum():.3f}; half of the absolute differences adds up to "
        f"{np.abs(a - m).sum() / 2:.3f}.",
    )


def fusion_figure(
    frames: NDArray[np.uint8],
    maps: Mapping[str, NDArray],
    fusion: str = "max",
    *,
    indices: Sequence[int] | None = None,
    crop: Geometry | None = None,
    silhouettes: NDArray | None = None,
) -> Figure:
    """Show the streams' maps over frames, and what a fusion makes of them (Eq. 14).

    frames: (n, H, W, 3) uint8. maps: stream -> (n, P). fusion: "none" (both rows alone), "mean" or
    "max". silhouettes: (n, H, W), for a first row of frames with the person outlined. The scale is
    the same for all fusions, so that they can be compared.
    """
    if fusion not in FUSIONS:
        raise ValueError(f"fusion {fusion!r}; it is one of {', '.join(FUSIONS)}")
    stack = np.stack([np.asarray(one, float) for one in maps.values()])  # (S, n, P)
    peak = common_peak(stack.reshape(-1, stack.shape[-1]))
    rows = dict(maps)
    if fusion != "none":
        rows[f"fused ({fusion})"] = stack.max(0) if fusion == "max" else stack.mean(0)
    figure = attention_strip(
        frames,
        rows,
        indices=indices,
        crop=crop,
        silhouettes=silhouettes,
        peak=peak,
        title=f"fusion: {fusion}",
    )
    sums = "; ".join(
        f"{name}: {', '.join(f'{s:.3f}' for s in np.asarray(rows[name]).sum(-1))}" for name in rows
    )
    return describe(figure, f"Fusion {fusion}. Sums of the maps over their places: {sums}.")


def trained_maps(
    frames: NDArray[np.uint8],
    maps: Mapping[float, Mapping[str, NDArray]],
    lambda_aa: float = 0.0,
    *,
    target: NDArray,
    indices: Sequence[int] | None = None,
    crop: Geometry | None = None,
    silhouettes: NDArray | None = None,
) -> Figure:
    """Show the attention of one of several trained models, chosen by its lambda_AA of Eq. 19.

    frames: (n, H, W, 3) uint8. maps: lambda_AA -> row label -> (n, P). target: (n, P), M of Eq. 18.
    The scale is the same for all models. The text alternative gives each row's mean share of
    attention on the silhouette.
    """
    if lambda_aa not in maps:
        raise ValueError(f"lambda_AA {lambda_aa}; there are {', '.join(f'{k:g}' for k in maps)}")
    every = [grid for rows in maps.values() for stack in rows.values() for grid in stack]
    chosen = maps[lambda_aa]
    figure = attention_strip(
        frames,
        chosen,
        indices=indices,
        crop=crop,
        silhouettes=silhouettes,
        target=target,
        peak=common_peak(every),
        title=rf"trained with $\lambda_{{AA}}$ = {lambda_aa:g}",
    )
    shares = "; ".join(
        f"{label.strip()}: {_mean_share(np.asarray(stack), np.asarray(target)):.1%}"
        for label, stack in chosen.items()
    )
    return describe(
        figure, f"lambda_AA {lambda_aa:g}. Share of the attention on the silhouette: {shares}."
    )


def _mean_share(maps: NDArray, target: NDArray) -> float:
    """Mean share of maps (n, P) on the places of target, over frames that show a silhouette."""
    shown = target.any(-1)
    inside = (maps * (target > 0)).sum(-1) / maps.sum(-1)
    return float(inside[shown].mean()) if shown.any() else float("nan")
