"""`make gpu`: a GPU's agreement with the CPU, speed, memory and trainings, on one page.

It needs no Jupyter: `python -m benchmarks gpu` with PyTorch and the package's own requirements.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.cases import PAPER, Bench, Sizes
from benchmarks.timing import interleaved
from rstan_lite.system import tables
from rstan_lite.system.devices import choose_device
from rstan_lite.system.errors import RstanError
from rstan_lite.training import run_folder as runs
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.parts import Parts, load_parts
from rstan_lite.training.profiles import resolve
from rstan_lite.training.train import train

# Largest relative error of a gradient against float64 on the CPU that counts as agreement.
TOLERANCE = {"32": 1e-3, "bf16": 0.15}
RECURRENCES = ("plain", "fast")
PUPPETNET_SIZE = 112  # pixels: gives its 7 x 7 places
TRAINED = (
    *("test_accuracy", "validation_accuracy", "n_test", "iterations", "seconds"),
    *("peak_memory", "peak_gpu_memory", "attention_on_silhouette", "silhouette_area"),
)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what is expected."""
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def results(bench: Bench, way: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Last step's logits (B, C) and all gradients of the total loss, in float64 on the CPU."""
    _, logits = bench.step(way, backward=True)
    gradients = bench.models[way].named_parameters()
    found = {name: p.grad.double().cpu() for name, p in gradients if p.grad is not None}
    return logits[:, -1].double().cpu(), found


def agreement(device: str, sizes: Sizes) -> list[dict[str, Any]]:
    """Errors of a training step against float64 on the CPU, the equations as written.

    A row for each device, precision and recurrence, with relative errors: logits, gradient (of the
    whole gradient), worst (of the single parameter that is furthest off); and whether it agrees.
    """
    logits, gradients = results(Bench(sizes, "cpu", "64"), "plain")
    whole = torch.cat([g.flatten() for g in gradients.values()])
    rows = []
    for where, precision in (("cpu", "32"), (device, "32"), (device, "bf16")):
        bench = Bench(sizes, where, precision)
        for recurrence in RECURRENCES:
            found, of = results(bench, recurrence)
            errors = {name: relative_error(of[name], gradients[name]) for name in gradients}
            worst = max(errors, key=errors.__getitem__)
            gradient = relative_error(torch.cat([of[name].flatten() for name in gradients]), whole)
            row: dict[str, Any] = {"device": where, "precision": precision}
            row |= {"recurrence": recurrence, "agrees": gradient < TOLERANCE[precision]}
            row |= {"logits": relative_error(found, logits), "gradient": gradient}
            rows.append(row | {"worst": errors[worst], "worst_parameter": worst})
    return rows


def speed(device: str, precision: str, sizes: Sizes, rounds: int) -> list[dict[str, Any]]:
    """Training steps (forward and backward) a second, a row for each recurrence.

    Features lie on the device already. peak_memory: MiB that tensors took on the GPU during a
    step; None on a CPU. recurrence: which one ran, and why.
    """
    bench, rows = Bench(sizes, device, precision), []
    step = bench.passes()["forward+backward"]
    for way, took in interleaved(step, RECURRENCES, rounds, "plain").items():
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            step(way)
        row: dict[str, Any] = {"device": device, "precision": precision}
        row |= {
            "attention": sizes.attention,
            "recurrence": str(bench.models[way].plan(torch.device(device))),
        }
        row |= {"iterations_per_second": 1 / took["seconds"]}
        row |= {"clips_per_second": sizes.batch / took["seconds"]}
        rows.append(
            row
            | {"peak_memory": torch.cuda.max_memory_allocated() >> 20 if device == "cuda" else None}
        )
    return rows


def training_config(profile: str, backbone: str | None = None, **options: Any) -> TrainConfig:
    """The configuration of the report's trainings; puppets get the network that fits them."""
    if backbone is None and options.get("dataset") == "puppets":
        options = {"backbone": "puppetnet", "size": PUPPETNET_SIZE, **options}
    elif backbone is not None:
        options = {**options, "backbone": backbone}
    return resolve(profile, options)


def report(
    out: Path,
    config: TrainConfig,
    device: str = "cuda",
    sizes: Sizes = PAPER["JHMDB"],
    rounds: int = 20,
    parts: Parts | None = None,
) -> tuple[dict[str, Any], Path]:
    """Measure everything, train in both precisions, write report.json and report.md into `out`.

    config: of the trainings, whose run folders lie in `out`; their features are made on the
    device first. parts: features to train on instead. Returns the report and the page's path.
    """
    config, started = replace(config, device=device), time.perf_counter()
    if parts is None:  # first of all: what is wrong with clips or networks is said at once
        parts = load_parts(config)
    found: dict[str, Any] = {"machine": machine(), "sizes": asdict(sizes)}
    found["features_seconds"] = round(time.perf_counter() - started, 1)
    found["agreement"] = agreement(device, replace(sizes, batch=min(4, sizes.batch)))
    found["agrees"] = all(row["agrees"] for row in found["agreement"])
    found["speed"] = speed("cpu", "32", sizes, min(3, rounds))
    for precision in ("32", "bf16"):
        for attention in ("window", "all"):
            case = replace(sizes, attention=attention)
            found["speed"] += speed(device, precision, case, rounds)
    found["training"] = {}
    for precision, name in (("32", "float32"), ("bf16", "bfloat16")):
        metrics = train(replace(config, precision=precision), out / name, parts)
        assert metrics is not None  # nothing stops it early
        found["training"][name] = {key: metrics[key] for key in TRAINED}
    found["config"] = json.loads(json.dumps(asdict(config)))  # lists, as the file has
    runs.write_json(out / "report.json", found)
    path = out / "report.md"
    path.write_text(page(found), encoding="utf-8")
    return found, path


def machine() -> dict[str, str]:
    """Names and versions of what is measured."""
    found = {
        "cpu": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "capability": torch.backends.cpu.get_cpu_capability(),
        **runs.versions(),
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found["gpu"] = f"{properties.name}, {properties.total_memory >> 30} GiB"
        found["cuda"] = str(torch.version.cuda)
    return found


def page(report: Mapping[str, Any]) -> str:
    """The report as Markdown: what was measured, on what, and whether the GPU agrees."""
    machine, sizes, config = report["machine"], report["sizes"], report["config"]
    agreement = [
        (
            *(row[key] for key in ("device", "precision", "recurrence")),
            *(f"{row[key]:.1e}" for key in ("logits", "gradient")),
            f"{row['worst']:.1e} ({row['worst_parameter']})",
            "yes" if row["agrees"] else "no",
        )
        for row in report["agreement"]
    ]
    speed = [
        (
            *(row[key] for key in ("device", "precision", "attention", "recurrence")),
            *(f"{row[key]:.1f}" for key in ("iterations_per_second", "clips_per_second")),
            row["peak_memory"],
        )
        for row in report["speed"]
    ]
    training = [
        (
            *(name, _percent(row["test_accuracy"]), row["n_test"]),
            *(_percent(row["attention_on_silhouette"]), f"{row['seconds']:.0f}"),
            row["peak_gpu_memory"],
        )
        for name, row in report["training"].items()
    ]
    generated = " These are generated clips." if config["dataset"] == "puppets" else ""
    return f"""\
# GPU report

{machine.get("gpu", "no GPU")}; CPU: {machine["cpu"]}; torch {machine["torch"]}, Python \
{machine["python"]}, rstan_lite {machine["rstan_lite"]}.

## The device {"agrees" if report["agrees"] else "DOES NOT AGREE"} with the CPU

Relative errors against float64 on the CPU, one training step on random features.

{_table("device, precision, recurrence, logits, gradient, worst parameter, agrees", agreement)}

## Speed and memory of a training step

{sizes["batch"]} clips of {sizes["steps"]} frames, {sizes["places"]} places, d_cv {sizes["d_cv"]}, \
d_fc {sizes["d_fc"]}, d_h {sizes["d_h"]}, two streams. A step is a forward and a backward pass; \
its features are on the device already.

{_table("device, precision, attention, recurrence, iterations/s, clips/s, GPU MiB", speed)}

## Training

Data set {config["dataset"]}, split {config["split"]}, backbone {config["backbone"]}, d_h \
{config["d_h"]}, {config["iterations"]} iterations, seed {config["seed"]}; its features were made \
or read in {report["features_seconds"]:.0f} s.{generated}

{_table("precision, test accuracy, clips, on silhouette, seconds, GPU MiB", training)}
"""


def _table(columns: str, rows: Iterable[Sequence[Any]]) -> str:
    shown = ([_shown(cell) for cell in row] for row in rows)
    return "\n".join(tables.markdown(columns.split(", "), shown))


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def main(argv: Sequence[str]) -> int:
    """Check this machine's GPU: 0, 1 where it disagrees, 2 for a complaint (no GPU is one)."""
    parser = argparse.ArgumentParser(prog="rstan-lite bench gpu", description=__doc__)
    parser.add_argument("--out", default="runs/gpu", help="folder of the report")
    parser.add_argument("--root", default="", help="JHMDB folder (none: clips are generated)")
    parser.add_argument("--dataset", help="jhmdb or puppets (jhmdb where --root is given)")
    parser.add_argument("--profile", default="course", help="profile of the trainings")
    parser.add_argument("--backbone", help="network of the features (puppetnet for puppets)")
    parser.add_argument("--appearance-weights", default="", help="its weights file, appearance")
    parser.add_argument("--motion-weights", default="", help="its weights file, motion")
    parser.add_argument("--missing", default="error", help="error, or skip clips not on the disk")
    options = vars(parser.parse_args(argv))
    out = Path(options.pop("out"))
    options["dataset"] = options["dataset"] or ("jhmdb" if options["root"] else "puppets")
    try:
        choose_device("cuda")
        found, path = report(out, training_config(**options))
    except RstanError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{path.read_text(encoding='utf-8')}\nwritten: {path}")
    return 0 if found["agrees"] else 1
