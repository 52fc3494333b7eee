"""What came out: the table of results and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rstan_lite.show.style import describe, new_figure, styled
from rstan_lite.system.tables import Table

RESULT_COLUMNS = ("model", "accuracy (%)", "attention on the person (%)", "test clips", "seeds")


def result_table(metrics: Mapping[str, Mapping], caption: str = "") -> Table:
    """Put runs side by side, one row a model, in the order given.

    metrics: model -> its `metrics.json`, or several of them (other seeds) under `"runs"`. Uses
    `test_accuracy`, `n_test` and `attention_on_silhouette` (None without attention), both shares
    of 1. Accuracy and attention become per cent: a mean, with the standard deviation where there
    are several seeds. caption: name the data, the split, the seeds and the profile.
    """
    rows = []
    for model, found in metrics.items():
        runs = list(found.get("runs", [found]))
        accuracy = _spread([run["test_accuracy"] for run in runs])
        attention = _spread([run.get("attention_on_silhouette") for run in runs])
        rows.append((model, accuracy, attention, str(int(runs[0]["n_test"])), str(len(runs))))
    return Table(RESULT_COLUMNS, tuple(rows), caption)


def _spread(values: Sequence[float | None]) -> str:
    """Write shares as per cent: a mean, and a standard deviation if there is one to give."""
    known = [100 * float(v) for v in values if v is not None]
    if not known:
        return "none"
    mean = f"{np.mean(known):.1f}"
    return mean if len(known) == 1 else f"{mean} ± {np.std(known, ddof=1):.1f}"


@styled
def confusion_figure(
    matrix: NDArray, classes: Sequence[str], *, title: str = "confusion matrix"
) -> Figure:
    """Show which actions are taken for which.

    matrix: (C, C) counts, true class by row. Colour is the share of the row, the numbers are clips
    (zeros are left out), so that classes of different size can be compared.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"a matrix of shape {matrix.shape} for {len(classes)} classes")
    totals = matrix.sum(axis=1, keepdims=True)
    share = 100 * matrix / np.maximum(totals, 1)
    names = [name.replace("_", " ") for name in classes]
    side = 2.2 + 0.34 * len(classes)
    figure = new_figure(side + 0.9, side)
    axes = figure.subplots()
    sns.heatmap(
        share, vmin=0, vmax=100, cmap="Blues", square=True, ax=axes, linewidths=0.5,
        linecolor="#dddddd", annot=np.where(matrix > 0, matrix.astype(str), ""), fmt="",
        annot_kws={"fontsize": 7.5}, xticklabels=names, yticklabels=names,
        cbar_kws={"label": "share of the action's clips (%)", "shrink": 0.8},
    )  # fmt: skip
    axes.set(title=title, xlabel="predicted action", ylabel="true action")
    axes.tick_params(axis="x", rotation=90, length=2)
    axes.tick_params(axis="y", rotation=0, length=2)
    return describe(figure, _say(matrix, names, title))


def _say(matrix: NDArray, names: Sequence[str], title: str) -> str:
    """Describe a confusion matrix: how many are right, and the most frequent mistake."""
    total, right = int(matrix.sum()), int(np.trace(matrix))
    wrong = matrix - np.diag(np.diag(matrix))
    text = f"{title}: {right} of {total} clips on the diagonal."
    if wrong.any():
        row, column = divmod(int(wrong.argmax()), len(names))
        text += f" Most frequent mistake: {names[row]} taken for {names[column]}"
        text += f" ({int(wrong[row, column])} clips)."
    return text
