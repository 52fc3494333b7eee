"""The figure of a benchmark: time of each way beside its floor, memory, and growth with T."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

WAYS = {"reference": "0.35", "plain": "#0072B2", "fast": "#D55E00", "lstm": "#009E73"}


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw the parts that the report holds, a panel each; nothing where it holds none of them."""
    panels = {"speed": _time, "memory": _memory, "growth": _growth}
    held = [panel for part, panel in panels.items() if report.get(part)]
    if not held:
        return
    figure, axes = plt.subplots(
        1, len(held), figsize=(5 * len(held), 4.5), layout="constrained", squeeze=False
    )
    for panel, axis in zip(held, axes[0], strict=True):
        panel(axis, report)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _time(axes: Axes, report: dict[str, Any]) -> None:
    for i, row in enumerate(_rows(report)):
        axes.plot([i - 0.4, i + 0.4], [row["floor"]] * 2, color="black", linewidth=1)
    _bars(axes, _speed(report), "seconds", "time of a pass (line: floor)")


def _memory(axes: Axes, report: dict[str, Any]) -> None:
    _bars(axes, report["memory"], "MiB", "peak memory of a training step")


def _growth(axes: Axes, report: dict[str, Any]) -> None:
    for name, style in (("T, all frames", "-"), ("T, window", "--")):
        for way, found in report["growth"].get(name, {}).items():
            label = f"{way}, {name[3:]}: T^{found['memory_exponent']:.2f}"
            values = found["values"], found["mebibytes"]
            axes.loglog(*values, style, marker="o", color=WAYS[way], label=label)
            axes.set_xticks(found["values"], [str(value) for value in found["values"]], minor=False)
    axes.minorticks_off()
    axes.set(xlabel="T", ylabel="MiB", title="growth of a training step's memory")
    axes.legend(fontsize=8)


def _rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The last pass of each size: forward and backward, where there is one."""
    keys = ("size", "device", "precision", "threads")
    last = {tuple(row[key] for key in keys): row for row in report.get("speed", [])}
    return list(last.values())


def _speed(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        f"{row['size']}\n{row['device']} {row['precision']}\n{row['threads']} threads": {
            way: found["seconds"] for way, found in row["ways"].items()
        }
        for row in _rows(report)
    }


def _bars(axes: Axes, table: dict[str, dict[str, float]], unit: str, title: str) -> None:
    for i, values in enumerate(table.values()):
        for j, way in enumerate(WAYS):
            shown = way if i == 0 else None
            axes.bar(i - 0.3 + 0.2 * j, values[way], 0.2, color=WAYS[way], label=shown)
    axes.set_xticks(range(len(table)), list(table), fontsize=7)
    axes.set(yscale="log", ylabel=unit, title=title)
    axes.set_ylim(top=axes.get_ylim()[1] * 3)  # room for the legend
    axes.legend(fontsize=8, ncols=len(WAYS), loc="upper center")
