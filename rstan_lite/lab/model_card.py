"""The card of a finished run, after Mitchell et al., Model Cards for Model Reporting, 2019."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.system.files import write_atomically
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.run_folder import LOG, read_log

CARD = "MODEL_CARD.md"
_DATA = {
    "puppets": "Clips that rstan_lite draws: a score on them says nothing about real video",
    "jhmdb": "JHMDB (Jhuang et al., ICCV 2013), for research use; cut from HMDB51",
    "ucf101": "UCF101 (Soomro et al., 2012), for research use",
    "hmdb51": "HMDB51 (Kuehne et al., ICCV 2011), for research use; JHMDB was cut from it",
}
CLASSES = {"jhmdb": 21, "ucf101": 101, "hmdb51": 51}  # with other numbers, they are other clips


def write_card(folder: Path, config: TrainConfig, metrics: Mapping[str, Any]) -> None:
    """Leave the card in a run's folder, where it has none yet. metrics: of its metrics.json."""
    path = folder / CARD
    if not path.exists():
        log = read_log(folder / LOG) if (folder / LOG).exists() else []
        drawn = not log or config.lambda_aa == 0 or any(epoch.aa_loss for epoch in log)
        write_atomically(path, model_card(config, metrics, drawn).encode())


def model_card(config: TrainConfig, metrics: Mapping[str, Any], drawn: bool = True) -> str:
    """Markdown of a finished run. metrics: the content of its metrics.json.

    drawn: whether training clips have silhouettes, which Eq. 18 asks for.
    """
    model = f"{', '.join(config.streams)}; attention: {config.attention}; its fusion: "
    model += f"{config.fusion}; silhouettes in training: {config.aa_kind}"
    if config.aa_kind != "none" and not drawn:
        model += " (no training clip has one: as without this loss)"
    elif config.aa_kind != "none" and metrics["attention_on_silhouette"] is None:
        model += " (the tested clips have no silhouettes)"
    networks = "\n".join(
        f"- {stream}: {one['backbone']}, weights with SHA-256 {one['hash'][:16]}..."
        + (f", on images that `{one['function']}` makes" if "function" in one else "")
        for stream, one in metrics["networks"].items()
    )
    folder = Path(config.root).resolve().name
    own, classes = f"The user's own clips in the folder {folder}", len(metrics["per_class"])
    named = _DATA.get(config.dataset, own)
    if classes != (official := CLASSES.get(config.dataset, classes)):
        named = f"{own}: {classes} classes, where {config.dataset} has {official}"
    title = folder if config.dataset == "folder" or official != classes else config.head
    data = (
        f"{named}. {metrics['n_train']} clips trained, "
        f"{metrics['n_validation']} chose the epoch, {metrics['n_test']} were tested."
    )
    if missing := metrics["missing_clips"]:
        data += f" {len(missing)} clips that the lists name were missing."
    if config.second_dataset != "none":
        data += f" Trained beside {config.second_dataset}, split {config.second_split}."
    part = part_name(config.split, config.fold)
    return f"""# RSTAN on {title}, {part}, seed {config.seed}

## Model

{model}. {metrics["parameters"]:,} parameters, without the networks that make its features:

{networks}

## Data

{data}

## Results

{_bullets(_results(metrics))}

## Limits

{_bullets(_limits(config, metrics))}

## Use

`rstan-lite predict VIDEO --run` this folder names the action in a video. `config.json` holds \
every setting; `rstan-lite train --dry-run` shows settings beside the paper's.
"""


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _results(metrics: Mapping[str, Any]) -> list[str]:
    lines = [f"test accuracy: {_percent(metrics['test_accuracy'])}"]
    if metrics["test_interval"]:
        low, high = metrics["test_interval"]
        lines[0] += f" (95 % interval {low:.1%} to {high:.1%}, clips taken as independent)"
    chosen = f" (epoch {metrics['best_epoch']}: the best accuracy, then the lowest loss)"
    chosen = chosen if metrics["n_validation"] else ""
    lines.append(f"validation accuracy: {_percent(metrics['validation_accuracy'])}{chosen}")
    if (share := metrics["attention_on_silhouette"]) is not None:
        even = f"(even attention: {metrics['silhouette_area']:.0%})"
        lines.append(f"attention on the silhouette: {share:.0%} {even}")
    return lines


def _limits(config: TrainConfig, metrics: Mapping[str, Any]) -> list[str]:
    fold = "The accuracy is that of a fold of the training list, not of the test list."
    lines = [
        "One seed of one split: another seed moves the accuracy by points.",
        *([fold] if config.fold else []),
        f"It knows {len(metrics['per_class'])} actions and names one of them for any video, "
        "also for one that shows none.",
        "Attention shows what the recurrence weighed, not why it decided.",
        "Not for judging or watching people: it was made for teaching and research.",
    ]
    if not metrics["n_validation"]:
        lines.append("No clip was held out: its last epoch was taken.")
    for stream, one in metrics["networks"].items():
        for part in ("test", "validation"):
            if one[f"saw_{part}"] or one[f"saw_{part}"] is None:
                said = "has" if one[f"saw_{part}"] else "may have"
                why = one[f"{part}_why"]
                lines.append(f"The {stream} network {said} seen {part} clips: {why}.")
    return lines


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
