"""What `train` would do, without doing it: every setting beside the paper's, and the steps."""

from __future__ import annotations

from pathlib import Path

from rstan_lite.data.splits import part_name
from rstan_lite.lab.paper_settings import NOT_STATED, beside_paper, of_second
from rstan_lite.system.settings import default_cache, short, shown
from rstan_lite.system.tables import aligned
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.profiles import column

DIFFERS = "*"


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
    todo.append(
        f"store {config.stored_frames} frames a clip in {cache}: {len(config.views)} views of "
        f"training clips, one of the others; flow by {config.flow}"
    )
    batch = f"{config.batch_size} {config.dataset} clips"
    if config.second_dataset != "none":
        batch += f" and {config.second_batch_size} of {config.second_dataset} (weight "
        batch += f"{config.second_weight:g})"
    todo.append(
        f"train {config.iterations} mini-batches of {batch}, {config.frames} frames each, "
        f"lr {config.lr:g}, a tenth of it from mini-batch {config.milestone} on"
    )
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
