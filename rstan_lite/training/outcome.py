"""What a part's evaluation leaves: its numbers, its predictions, and a warning of seen clips."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rstan_lite.data.clips import ClipDataset
from rstan_lite.features.seen import look
from rstan_lite.system.errors import DataError
from rstan_lite.training import runs
from rstan_lite.training.batches import ClipFeatures
from rstan_lite.training.evaluate import Evaluation
from rstan_lite.training.metrics import accuracy_interval, per_class


def networks_seen(
    networks: Mapping[str, str],
    dataset: ClipDataset,
    name: str,
    parts: Sequence[str] = ("test", "validation"),
) -> dict[str, dict[str, Any]]:
    """For each stream whether its network was trained on clips of a part, as metrics.json has it.

    networks: each stream's weights file. name: of the data set. Keys of a stream: "file", and of
    each part "saw_<part>" (true, false, null: not known) and "<part>_why".
    """
    found: dict[str, dict[str, Any]] = {}
    for stream, path in networks.items():
        found[stream] = {"file": path}
        for part in parts:
            answer = look(path, dataset, name, part)
            found[stream] |= {f"saw_{part}": answer.seen, f"{part}_why": answer.why}
    return found


def warn_of_seen(seen: Mapping[str, Mapping[str, Any]]) -> None:
    """Say, a line a stream, where a network was trained on clips that are judged now."""
    for stream, found in seen.items():
        for part in ("test", "validation"):
            if found.get(f"saw_{part}"):
                print(
                    f"warning: the {stream} network {found['file']} has seen {part} clips: "
                    f"{found[f'{part}_why']}. The {part} accuracy is no measure of unseen clips.",
                    file=sys.stderr,
                )


def save_predictions(path: Path, features: ClipFeatures, result: Evaluation) -> None:
    """Scores of a part's clips, in the features' order. DataError where some are not finite."""
    bad = [
        name for name, row in zip(features.names, result.scores, strict=True) if row.sum().isnan()
    ]
    if bad:
        hint = "Extract its features again."
        raise DataError(path, f"scores of {bad[0]} that are not finite", "finite features", hint)
    runs.write_predictions(
        path,
        runs.Predictions(
            tuple(features.names), result.labels.numpy(), result.scores.numpy(), features.classes
        ),
    )


def part_metrics(result: Evaluation, features: ClipFeatures, part: str = "test") -> dict[str, Any]:
    """The numbers of an evaluation on a part of the clips, by their names in metrics.json."""
    right = int((result.scores.argmax(1) == result.labels).sum())
    ends = accuracy_interval(right, len(features))
    return {
        f"{part}_accuracy": result.accuracy,
        "per_class": per_class(result.scores, result.labels, features.classes),
        f"n_{part}": len(features),
        f"{part}_interval": list(ends) if ends else None,
        "attention_on_silhouette": result.attention_share,
        "silhouette_area": result.area_share,
    }
