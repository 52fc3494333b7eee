"""A run's settings beside the paper's, with places and reasons; what `train --dry-run` prints.

A place such as "Sec. IV-B, second point" counts the points that the section numbers by words. The
values are in `training/profiles.toml`. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.system.settings import default_cache, short, shown
from rstan_lite.system.tables import aligned
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import OURS, OURS_FOR, column, stated

NOT_STATED = "not stated"
DIFFERS = "*"
_SHARPNESS = "Sec. IV-B, third point"
_SCHEDULE = "Sec. IV-B, last point"
_MULTI_TASK = "Sec. IV-B, second point"

PLACES = {
    "dataset": "Sec. IV-A",
    "split": "Sec. IV-C, first paragraph; Tables IV and V: mean over 1 to 3",
    "backbone": "Sec. IV-C, first paragraph: GPCNN (VGG-16), TSN on HMDB51; Tables IV and V: TSN "
    "as well",
    "size": "Sec. IV-C, first paragraph",
    "streams": "Sec. III-A",
    "d_h": "Sec. IV-B, first point",
    **dict.fromkeys(("attention", "window", "gamma_alpha", "gamma_beta"), _SHARPNESS),
    "fusion": "Eq. 14-15; Sec. IV-C, 2)",
    "classifier": "Eq. 16",
    "renormalize": "Eq. 14-15, as they stand",
    "aa_kind": f"Eq. 18; {_MULTI_TASK}; Sec. IV-C, 3) and Table II: JHMDB alone",
    **dict.fromkeys(("lambda_aa", "frames", "batch_size"), _MULTI_TASK),
    "test_frames": "Sec. IV-C, first paragraph",
    **dict.fromkeys(("lr", "iterations", "milestone", "momentum", "weight_decay"), _SCHEDULE),
    **dict.fromkeys(("second_dataset", "second_batch_size", "second_weight"), _MULTI_TASK),
}
REASONS = {
    "root": "where your copy lies",
    "missing": "an incomplete copy is an error, not passed over",
    "damaged": "a damaged copy is an error, not passed over",
    "validation": "no part of the training list is said to be held out",
    "fold": "its models are tested on the test list",
    "appearance_weights": "those of the paper cannot be had; `rstan-lite tune` makes some; "
    "networks tuned on UCF101 can be given",
    "motion_weights": "as appearance_weights",
    "motion_backbone": "empty: as backbone, which thus sets both streams",
    "motion_size": "0: as size, which thus sets both streams",
    "flow_weights": "read by RAFT alone",
    "flow": "the method is left open; the networks of [29] and [42] have TV-L1",
    "camera": "taking camera motion out of flow is not mentioned",
    "stored_frames": "as many as a test reads; of these, training has 2 phases with 16 frames, 4 "
    "with 8, where the paper samples at random with equal interval",
    "views": "corners and mirror as in [29] and [42] (Sec. IV-B, first point), but fixed, as "
    "features are stored; the scale jitter of those networks is left out",
    "cache": "where this machine keeps features",
    "scale": "not mentioned",
    "d_att": "the width of Eq. 2 and Eq. 5 is not given",
    "window": "not read where all frames are attended",
    "dropout": "not mentioned",
    "lambda_aa": "without silhouettes there is no Eq. 18",
    "frames": "left open on JHMDB; UCF101, which trains along, has 16",
    "clip_norm": "against single large gradients of the recurrence; log.csv counts its use",
    "seed": "not mentioned; several seeds show the spread",
    "second_root": "where your copy lies",
    "second_split": "left open: the same as the default of split",
    **dict.fromkeys(("second_batch_size", "second_weight"), "used with a second data set alone"),
    "device": "what this machine has",
    "recurrence": "how it is computed; the function is the same",
    "precision": "not mentioned",
    "save_seconds": "how much a kill may cost, whatever an epoch takes",
    "save_every": "as save_seconds",
}
# Settings of the recurrence and its frames, which two data sets trained together have in common.
SHARED = ("attention", "gamma_alpha", "gamma_beta", "frames")


@dataclass(frozen=True)
class Setting:
    """A setting: its value in a run, the paper's for that data set or None, and where or why.

    source: the place in the paper that states it, or our reason where none does; and what that
        place states for the second data set, where the two differ and one value serves both.
    """

    name: str
    value: Any
    stated: Any | None
    source: str

    @property
    def differs(self) -> bool:
        """Whether the paper states another value."""
        return self.stated is not None and self.stated != self.value


def beside_paper(config: TrainConfig) -> list[Setting]:
    """Every field of a configuration, in the order of TrainConfig."""
    dataset, others = column(config.dataset), of_second(config)
    papers, ours, found = stated(dataset), OURS | OURS_FOR.get(dataset, {}), []
    for name in (spec.name for spec in fields(TrainConfig)):
        value = getattr(config, name)
        if name in papers:
            source = PLACES[name]
        else:
            taken, source = ours.get(name, value), f"ours: {REASONS[name]}"
            source += "" if taken == value else f" (profile paper: {short(taken)})"
        if name in others:
            other = shown(others[name])
            source += f"; {other} for {config.second_dataset}, which runs with this"
        found.append(Setting(name, value, papers.get(name), source))
    return found


def of_second(config: TrainConfig) -> dict[str, Any]:
    """What the paper states for the second data set where the run, which shares it, has another."""
    papers = stated(column(config.second_dataset))
    shared = {key: papers[key] for key in SHARED if key in papers}
    return {key: value for key, value in shared.items() if value != getattr(config, key)}


def steps(config: TrainConfig, out: Path) -> list[str]:
    """What the run would do, one line a step; nothing is read or written."""
    from rstan_lite.features.networks import SHIPPED

    cache = config.cache or default_cache()
    part = part_name(config.split, config.fold)
    todo = [_clips(config.dataset, config.root, part, cache, "train, validate and test")]
    if config.second_dataset != "none":
        second, beside = part_name(config.second_split), "train alone"
        todo.append(_clips(config.second_dataset, config.second_root, second, cache, beside))
    for stream in config.streams:
        motion = stream == "motion"
        net = (config.motion_backbone if motion else "") or config.backbone
        size = (config.motion_size if motion else 0) or config.size
        weights = config.motion_weights if motion else config.appearance_weights
        source = weights or f"the weights tuned on {part} in {cache}"
        source += ", or the shipped ones" if net == SHIPPED and not weights else ""
        todo.append(f"{stream}: features of {net} at {size} pixels, with {source}")
    if config.second_dataset != "none":
        todo.append(f"take {config.second_dataset}'s features from the same networks")
    views = f"{len(config.views)} views of training clips, one of the others"
    stored = f"store {config.stored_frames} frames a clip in {cache}: {views}"
    batch = f"{config.batch_size} {config.dataset} clips"
    if config.second_dataset != "none":
        second = f"{config.second_batch_size} of {config.second_dataset}"
        batch += f" and {second} (weight {config.second_weight:g})"
    schedule = f"lr {config.lr:g}, a tenth of it from mini-batch {config.milestone} on"
    batches = f"train {config.iterations} mini-batches of {batch}, {config.frames} frames each"
    todo += [f"{stored}; flow by {config.flow}", f"{batches}, {schedule}"]
    if others := of_second(config):
        here = ", ".join(f"{key} {shown(getattr(config, key))}" for key in others)
        alone = ", ".join(f"{key} {shown(value)}" for key, value in others.items())
        todo.append(
            f"one recurrence serves both data sets, with {here}; for {config.second_dataset} the "
            f"paper states {alone}, and not whether that holds beside {config.dataset}"
        )
    held = f"the best epoch on {config.validation:.0%} of the training list, held out by source"
    todo.append(f"keep {held if config.validation else 'the last epoch: nothing is held out'}")
    tested = f"clip of the training list's fold {config.fold}" if config.fold else "test clip"
    todo.append(f"test {config.test_frames} frames of each {tested} of {config.dataset}")
    return [*todo, f"write the run folder {out}"]


def _clips(dataset: str, root: str, part: str, cache: str, use: str) -> str:
    if dataset == "puppets":
        where = f"in {root or cache}, drawn there if absent"
    else:
        where = f"in {root}" if root else "in a folder that is not given yet (an error when run)"
    return f"read {dataset} {where}, {part}, to {use}"


def describe(config: TrainConfig, out: Path) -> str:
    """Table and steps of a run, as `rstan-lite train --dry-run` prints them."""
    lines = [("", "setting", "value", "the paper", "where it says so, or why it is ours")]
    for row in beside_paper(config):
        stated = NOT_STATED if row.stated is None else shown(row.stated)
        mark = DIFFERS if row.differs else ""
        lines.append((mark, row.name, short(row.value), short(stated), row.source))
    title = f"{config.dataset}, beside the paper's settings for {column(config.dataset).upper()}"
    differing = sum(bool(line[0]) for line in lines)
    counted = f"{DIFFERS} differs from what the paper states: {differing}"
    numbered = [f"{i}. {step}" for i, step in enumerate(steps(config, out), start=1)]
    table = "\n".join(aligned(lines))
    parts = [title, table, counted, "Without --dry-run, this would:", "\n".join(numbered)]
    return "\n\n".join(parts)
