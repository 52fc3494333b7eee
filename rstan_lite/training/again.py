"""Testing a finished run again: another part, another number of frames, another device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rstan_lite.devices import choose_device
from rstan_lite.errors import ConfigError
from rstan_lite.training import runs
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.checkpoint import load_model
from rstan_lite.training.config import one_of, read_config, second_config
from rstan_lite.training.evaluate import evaluate
from rstan_lite.training.train import part_metrics, save_predictions

PARTS = ("test", "validation")


def evaluate_run(
    folder: Path,
    part: str = "test",
    frames: int | None = None,
    root: str | None = None,
    cache: str | None = None,
    device: str = "auto",
    features: ClipFeatures | None = None,
    second: bool = False,
) -> tuple[dict[str, Any], Path]:
    """Evaluate a run's model and write `evaluation-<part>-<frames>.json` and `.npz` beside it.

    frames: T; None for the run's own. root, cache: where clips and features lie now; None for
    where they were. features: of that part; None reads or makes those of the run's configuration.
    second: test the classifier of the run's second data set on that data set's clips, which root
    then means; the files are named `evaluation-<data set>-...`.
    Returns the metrics and the path of the JSON file. Raises ConfigError, CheckpointError,
    DeviceError, and what reading features raises.
    """
    if part not in PARTS:
        raise ConfigError("--part", repr(part), one_of(PARTS))
    config = read_config(folder / runs.CONFIG)
    if frames is not None and frames < 1:
        raise ConfigError("--frames", str(frames), "at least 1")
    steps = config.test_frames if frames is None else frames
    model, description = load_model(folder)
    head, classes, name = description.head, description.classes, part
    if second:
        config, head, classes = (
            second_config(config),
            config.second_head,
            description.second_classes,
        )
        name = f"{head}-{part}"
        if part == "validation":
            raise ConfigError("--part", part, "test: all of its training part trains")
    config = replace(config, device=device, root=root or config.root, cache=cache or config.cache)
    model.to(choose_device(device))
    if features is None:
        from rstan_lite.training.features_source import check_networks, load_part

        features = load_part(config, part, check_networks(description.networks))
    if features.classes != classes:
        raise ConfigError("--root", f"classes {features.classes}", f"{classes}")
    features = replace(features, scales=description.scales)
    result = evaluate(model, features, head, steps, precision=config.precision)
    metrics = part_metrics(result, features, part)
    metrics |= {"frames": steps, "part": part, "head": head, "versions": runs.versions()}
    path = folder / f"evaluation-{name}-{steps}.json"
    save_predictions(path.with_suffix(".npz"), features, result)
    runs.write_json(path, metrics)
    return metrics, path
