"""What a GPU report measures: agreement with the CPU, speed, memory, and real trainings."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rstan_lite.model import RSTAN, RSTANConfig
from rstan_lite.system.devices import make_fabric
from rstan_lite.training import runs
from rstan_lite.training.batches import Batch
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.features_source import load_parts
from rstan_lite.training.gpu_page import page
from rstan_lite.training.profiles import resolve
from rstan_lite.training.step import Objective
from rstan_lite.training.train import Parts, train

# Largest relative error of a gradient against float64 on the CPU that counts as agreement.
TOLERANCE = {"32": 1e-3, "bf16": 0.15}
PUPPETNET_SIZE = 112  # pixels: gives its 7 x 7 places
CLASSES, HEAD = 21, "jhmdb"  # as many as JHMDB has


@dataclass(frozen=True)
class Sizes:
    """A training step's sizes; the defaults are those of the profile `paper` with VGG-16."""

    batch: int = 16
    steps: int = 16
    places: int = 49
    d_cv: int = 512
    d_fc: int = 4096
    d_h: int = 1024
    d_att: int = 256
    attention: str = "window"
    recurrence: str = "auto"


RECURRENCES = ("plain", "fast")


def make_case(sizes: Sizes, seed: int = 0) -> tuple[RSTAN, Batch]:
    """A model and a mini-batch of random features around one, on the CPU in float32."""
    torch.manual_seed(seed)
    streams = ("appearance", "motion")
    config = RSTANConfig(
        streams=streams,
        d_cv=dict.fromkeys(streams, sizes.d_cv),
        d_fc=dict.fromkeys(streams, sizes.d_fc),
        heads={HEAD: CLASSES},
        d_h=sizes.d_h,
        d_att=sizes.d_att,
        attention=sizes.attention,
        recurrence=sizes.recurrence,
    )
    b, t, p = sizes.batch, sizes.steps, sizes.places
    target = torch.nn.functional.one_hot(torch.randint(p, (b, t)), p).float()
    batch = Batch(
        cubes={s: torch.randn(b, t, p, sizes.d_cv).relu() for s in streams},
        vectors={s: torch.randn(b, t, sizes.d_fc).relu() for s in streams},
        labels=torch.randint(CLASSES, (b,)),
        target=target,
        rows=torch.arange(b),
        whole=torch.arange(b),
    )
    return RSTAN(config), batch


def moved(batch: Batch, device: str | torch.device, dtype: torch.dtype) -> Batch:
    """A mini-batch on a device, its features in a float type."""
    return Batch(
        {s: x.to(device, dtype) for s, x in batch.cubes.items()},
        {s: x.to(device, dtype) for s, x in batch.vectors.items()},
        batch.labels.to(device),
        batch.target.to(device, dtype),
        batch.rows,
        batch.whole,
    )


def outcome(
    model: RSTAN, batch: Batch, device: str, precision: str
) -> tuple[Tensor, dict[str, Tensor]]:
    """Last step's logits (B, C) and all gradients of the total loss, in float64 on the CPU.

    precision: "64", "32" or "bf16" (float32 weights, bfloat16 products).
    """
    dtype = torch.float64 if precision == "64" else torch.float32
    copy = RSTAN(model.config)
    copy.load_state_dict(model.state_dict())
    objective = Objective(copy.to(device, dtype), "l2")
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        result = objective(moved(batch, device, dtype), HEAD, 0.5)
    result["total"].backward()
    gradients = {k: v.grad.double().cpu() for k, v in copy.named_parameters() if v.grad is not None}
    return result["logits"].detach().double().cpu(), gradients


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Norm of the difference over the norm of what is expected."""
    return float((found - expected).norm() / expected.norm().clamp_min(1e-30))


def agreement(device: str, sizes: Sizes) -> list[dict[str, Any]]:
    """Errors of forward and gradients against float64 on the CPU, the equations as written.

    A row for each device, precision and recurrence.

    Keys: device, precision, recurrence, logits (relative error), gradient (of the whole gradient),
    worst (of the single parameter that is furthest off) and its name, agrees.
    """
    model, batch = make_case(replace(sizes, recurrence="plain"))
    logits, gradients = outcome(model, batch, "cpu", "64")
    whole = torch.cat([g.flatten() for g in gradients.values()])
    rows = []
    for where, precision in (("cpu", "32"), (device, "32"), (device, "bf16")):
        for recurrence in RECURRENCES:
            model, _ = make_case(replace(sizes, recurrence=recurrence))
            found, of = outcome(model, batch, where, precision)
            errors = {k: relative_error(of[k], gradients[k]) for k in gradients}
            worst = max(errors, key=errors.__getitem__)
            gradient = relative_error(torch.cat([of[k].flatten() for k in gradients]), whole)
            row: dict[str, Any] = {"device": where, "precision": precision}
            row |= {"recurrence": recurrence, "agrees": gradient < TOLERANCE[precision]}
            row |= {"logits": relative_error(found, logits), "gradient": gradient}
            row |= {"worst": errors[worst], "worst_parameter": worst}
            rows.append(row)
    return rows


def synchronise(device: str) -> None:
    """Wait until a GPU has done what it was given; a CPU has."""
    if device == "cuda":
        torch.cuda.synchronize()


def speed(device: str, precision: str, sizes: Sizes, seconds: float = 5.0) -> dict[str, Any]:
    """Training steps a second (forward, backward, clipping, SGD) on features already in place.

    Three steps warm up; then steps are counted for `seconds`, and the device is waited for.
    Keys: device, precision, attention, recurrence, iterations_per_second, clips_per_second,
    peak_memory (MiB that tensors took on the GPU; None on a CPU).
    """
    model, batch = make_case(sizes)
    fabric = make_fabric(device, precision)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    objective, stepper = fabric.setup(Objective(model, "l2"), optimizer)
    batch = moved(batch, fabric.device, torch.float32)

    def step() -> None:
        stepper.zero_grad()
        fabric.backward(objective(batch, HEAD, 0.5)["total"])
        fabric.clip_gradients(objective, stepper, max_norm=5.0)
        stepper.step()

    for _ in range(3):
        step()
    synchronise(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    count, started = 0, time.perf_counter()
    while count < 3 or time.perf_counter() - started < seconds:
        step()
        synchronise(device)
        count += 1
    rate = count / (time.perf_counter() - started)
    return {
        "device": device,
        "precision": precision,
        "attention": sizes.attention,
        "recurrence": str(model.plan(fabric.device)),
        "iterations_per_second": rate,
        "clips_per_second": rate * sizes.batch,
        "peak_memory": runs.peak_gpu_memory() if device == "cuda" else None,
    }


def report_config(profile: str, backbone: str | None = None, **options: Any) -> TrainConfig:
    """The configuration of the report's trainings; puppets get the network that fits them."""
    if backbone is None and options.get("dataset") == "puppets":
        options = {"backbone": "puppetnet", "size": PUPPETNET_SIZE, **options}
    elif backbone is not None:
        options = {**options, "backbone": backbone}
    return resolve(profile, options)


def gpu_report(
    out: Path,
    config: TrainConfig,
    device: str = "cuda",
    sizes: Sizes | None = None,
    seconds: float = 5.0,
    parts: Parts | None = None,
) -> tuple[dict[str, Any], Path]:
    """Measure everything, train in both precisions, write report.json and report.md into `out`.

    config: of the trainings, whose run folders lie in `out`; their features are made on the
    device first. parts: features to train on instead. Returns the report and the page's path.
    """
    sizes, config = sizes or Sizes(), replace(config, device=device)
    started = time.perf_counter()
    if parts is None:  # first of all: what is wrong with clips or networks is said at once
        parts = load_parts(config)
    report: dict[str, Any] = {"machine": machine(device), "sizes": asdict(sizes)}
    report["features_seconds"] = round(time.perf_counter() - started, 1)
    report["agreement"] = agreement(device, replace(sizes, batch=min(4, sizes.batch)))
    report["agrees"] = all(row["agrees"] for row in report["agreement"])
    report["speed"] = [
        speed(where, precision, replace(sizes, attention=attention, recurrence=way), seconds)
        for where, precision in dict.fromkeys((("cpu", "32"), (device, "32"), (device, "bf16")))
        for attention in ("window", "all")
        for way in RECURRENCES
        if where != "cpu" or attention == "window"
    ]
    report["training"] = {}
    for precision, name in (("32", "float32"), ("bf16", "bfloat16")):
        metrics = train(replace(config, precision=precision), out / name, parts)
        assert metrics is not None  # nothing stops it early
        report["training"][name] = _brief(metrics)
    report["config"] = json.loads(config.to_json())
    runs.write_json(out / "report.json", report)
    path = out / "report.md"
    runs.write_atomically(path, page(report).encode())
    return report, path


def machine(device: str) -> dict[str, str]:
    """Names of what was measured."""
    found = {"cpu": f"{platform.machine()}, {torch.get_num_threads()} threads", **runs.versions()}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found["gpu"] = f"{properties.name}, {properties.total_memory >> 30} GiB"
        found["cuda"] = str(torch.version.cuda)
    return found


def _brief(metrics: Mapping[str, Any]) -> dict[str, Any]:
    names = ("test_accuracy", "validation_accuracy", "n_test", "iterations", "seconds")
    more = ("peak_memory", "peak_gpu_memory", "attention_on_silhouette", "silhouette_area")
    return {name: metrics[name] for name in (*names, *more)}
