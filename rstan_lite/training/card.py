"""The model card of a run: what its checkpoint was made of, what it scored, what it is not for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.lab.dry_run import NOT_STATED, rows
from rstan_lite.system import tables
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import shown

FILE = "MODEL_CARD.md"
NAMED = 3  # best and worst classes
# Model cards after Mitchell et al., Model Cards for Model Reporting (FAT* 2019).
_DATA = {
    "puppets": "clips that rstan_lite draws: a score on them says nothing about real video",
    "jhmdb": "JHMDB (Jhuang et al., ICCV 2013), for research use; cut from HMDB51",
    "ucf101": "UCF101 (Soomro et al., 2012), for research use",
    "hmdb51": "HMDB51 (Kuehne et al., ICCV 2011), for research use; JHMDB was cut from it",
}


def model_card(config: TrainConfig, metrics: Mapping[str, Any]) -> str:
    """Markdown of a finished run. metrics: the content of its metrics.json."""
    part = part_name(config.split, config.fold)
    title = f"# RSTAN on {config.dataset}, {part}, seed {config.seed}"
    parts = [
        title,
        _section("Model", _model(config, metrics)),
        _section("Data", _data(config, metrics)),
        _section("Results", _results(metrics)),
        _section("Settings", [_settings(config)]),
        _section("Limits", _limits(config, metrics)),
        _section(
            "Use",
            [
                "`rstan-lite predict VIDEO --run` this folder names the action in a video; "
                "`rstan-lite evaluate` tests again; `config.json` holds every setting, "
                "`checkpoint.json` what a prediction needs beside the weights."
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n\n".join([f"## {title}", *lines])


def _model(config: TrainConfig, metrics: Mapping[str, Any]) -> list[str]:
    attention = {
        "none": "no attention (LSTM)",
        "current": "attention to places of the current frame",
        "window": f"attention to {config.window} frames from the current one on",
        "all": "attention to all frames",
    }[config.attention]
    fusion = "" if config.fusion == "none" else f"; streams' attention fused by {config.fusion}"
    hint = "" if config.aa_kind == "none" else f"; silhouettes in training ({config.aa_kind})"
    networks = "\n".join(
        f"- {stream}: {one['backbone']}, weights with SHA-256 {one['hash'][:16]}..."
        for stream, one in metrics["networks"].items()
    )
    return [
        f"{' and '.join(config.streams)}; {attention}{fusion}{hint}. "
        f"{metrics['parameters']:,} parameters, without the networks that make its features:",
        networks,
    ]


def _data(config: TrainConfig, metrics: Mapping[str, Any]) -> list[str]:
    text = (
        f"{_DATA[config.dataset][0].upper()}{_DATA[config.dataset][1:]}. "
        f"{metrics['n_train']} clips trained, {metrics['n_validation']} chose the epoch, "
        f"{metrics['n_test']} were tested."
    )
    if missing := metrics["missing_clips"]:
        text += f" {len(missing)} clips that the lists name were missing."
    if config.second_dataset != "none":
        text += f" Trained beside {config.second_dataset}, split {config.second_split}."
    return [text]


def _results(metrics: Mapping[str, Any]) -> list[str]:
    lines = [f"- test accuracy: {_percent(metrics['test_accuracy'])}"]
    if metrics["test_interval"]:
        low, high = metrics["test_interval"]
        lines[0] += f" (95 % interval {low:.1%} to {high:.1%}, clips taken as independent)"
    lines.append(f"- validation accuracy: {_percent(metrics['validation_accuracy'])}")
    if metrics["attention_on_silhouette"] is not None:
        lines.append(
            f"- attention on the silhouette: {metrics['attention_on_silhouette']:.0%} "
            f"(even attention: {metrics['silhouette_area']:.0%})"
        )
    known = {name: share for name, share in metrics["per_class"].items() if share is not None}
    order = sorted(known, key=lambda name: known[name])
    for word, names in (("weakest", order[:NAMED]), ("strongest", order[::-1][:NAMED])):
        lines.append(f"- {word}: " + ", ".join(f"{name} {known[name]:.0%}" for name in names))
    return ["\n".join(lines)]


def _settings(config: TrainConfig) -> str:
    """Settings of model and training that differ from the paper's, or that it does not state."""
    differing = [(r.name, shown(r.value), shown(r.stated)) for r in rows(config) if r.differs]
    table = tables.markdown(("setting", "here", "the paper"), differing)
    count = sum(row.stated is None for row in rows(config))
    end = f"Of {count} further settings the paper says nothing ({NOT_STATED} in `--dry-run`)."
    return "Beside what the paper states:\n\n" + "\n".join(table) + f"\n\n{end}"


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
                lines.append(
                    f"The {stream} network {said} seen {part} clips: {one[f'{part}_why']}."
                )
    return ["\n".join(f"- {line}" for line in lines)]


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
