"""The one page of a GPU report, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rstan_lite.system import tables


def page(report: Mapping[str, Any]) -> str:
    """The report as text: what was measured, on what, and whether the GPU agrees with the CPU."""
    machine, sizes, config = report["machine"], report["sizes"], report["config"]
    verdict = "agrees" if report["agrees"] else "DOES NOT AGREE"
    lines = [
        "# GPU report",
        "",
        f"{machine.get('gpu', 'no GPU')}; CPU: {machine['cpu']}; torch {machine['torch']}, "
        f"Python {machine['python']}, rstan_lite {machine['rstan_lite']}.",
        "",
        f"## The device {verdict} with the CPU",
        "",
        "Relative errors against float64 on the CPU, one training step on random features.",
        "",
        *tables.markdown(
            (
                "device",
                "precision",
                "recurrence",
                "logits",
                "gradient",
                "worst parameter",
                "agrees",
            ),
            [
                (
                    row["device"],
                    row["precision"],
                    row["recurrence"],
                    f"{row['logits']:.1e}",
                    f"{row['gradient']:.1e}",
                    f"{row['worst']:.1e} ({row['worst_parameter']})",
                    "yes" if row["agrees"] else "no",
                )
                for row in report["agreement"]
            ],
        ),
        "",
        "## Speed and memory of a training step",
        "",
        f"{sizes['batch']} clips of {sizes['steps']} frames, {sizes['places']} places, d_cv "
        f"{sizes['d_cv']}, d_fc {sizes['d_fc']}, d_h {sizes['d_h']}, two streams; features already "
        "on the device.",
        "",
        *tables.markdown(
            (
                *("device", "precision", "attention", "recurrence"),
                *("iterations/s", "clips/s", "GPU memory, MiB"),
            ),
            [
                (
                    row["device"],
                    row["precision"],
                    row["attention"],
                    row["recurrence"],
                    f"{row['iterations_per_second']:.2f}",
                    f"{row['clips_per_second']:.1f}",
                    _shown(row["peak_memory"]),
                )
                for row in report["speed"]
            ],
        ),
        "",
        "## Training",
        "",
        f"Data set {config['dataset']}, split {config['split']}, backbone {config['backbone']}, "
        f"d_h {config['d_h']}, {config['iterations']} iterations, seed {config['seed']}; its "
        f"features were made or read in {report['features_seconds']:.0f} s."
        + (" These are generated clips." if config["dataset"] == "puppets" else ""),
        "",
        *tables.markdown(
            ("precision", "test accuracy", "clips", "on silhouette", "seconds", "GPU memory, MiB"),
            [
                (
                    name,
                    _percent(row["test_accuracy"]),
                    str(row["n_test"]),
                    _percent(row["attention_on_silhouette"]),
                    f"{row['seconds']:.0f}",
                    _shown(row["peak_gpu_memory"]),
                )
                for name, row in report["training"].items()
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _shown(value: int | None) -> str:
    return "none" if value is None else str(value)
