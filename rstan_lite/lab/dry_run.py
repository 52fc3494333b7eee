"""What `train` would do, without doing it: every setting beside the paper's, and the steps."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.system.settings import default_cache
from rstan_lite.system.tables import aligned
from rstan_lite.training.config import TrainConfig
from rstan_lite.training.paper import OURS, PAPER, SHARED, column
from rstan_lite.training.profiles import shown

NOT_STATED, DIFFERS = "not stated", "*"
LONGEST = 36  # characters of a value in the printed table


@dataclass(frozen=True)
class Row:
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


def rows(config: TrainConfig) -> list[Row]:
    """Every field of a configuration, in the order of TrainConfig."""
    name, found, others = column(config.dataset), [], of_second(config)
    for spec in fields(TrainConfig):
        value, stated = getattr(config, spec.name), PAPER.get(spec.name)
        if stated is not None and name in stated.values:
            found.append(Row(spec.name, value, stated.values[name], stated.place))
        else:
            found.append(Row(spec.name, value, None, _reason(spec.name, name, value)))
        if spec.name in others:
            note = f"; {shown(others[spec.name])} for {config.second_dataset}, which runs with this"
            found[-1] = replace(found[-1], source=found[-1].source + note)
    return found


def of_second(config: TrainConfig) -> dict[str, Any]:
    """What the paper states for the second data set where the run, which shares it, has another."""
    name = column(config.second_dataset)
    stated = {key: PAPER[key].values[name] for key in SHARED if name in PAPER[key].values}
    return {key: value for key, value in stated.items() if value != getattr(config, key)}


def _reason(setting: str, dataset: str, value: Any) -> str:
    """Why a setting that the paper leaves open is as it is, and what the profile `paper` takes."""
    ours = OURS[setting]
    text, taken = f"ours: {ours.reason}", ours.values.get(dataset, value)
    return text if taken == value else f"{text} (profile paper: {_short(shown(taken))})"


def table(config: TrainConfig) -> str:
    """The rows as text; a star marks a value that differs from the one that the paper states."""
    lines = [("", "setting", "value", "the paper", "where it says so, or why it is ours")]
    for row in rows(config):
        stated = NOT_STATED if row.stated is None else shown(row.stated)
        mark = DIFFERS if row.differs else ""
        lines.append((mark, row.name, _short(shown(row.value)), _short(stated), row.source))
    return "\n".join(aligned(lines))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


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
    title = f"{config.dataset}, beside the paper's settings for {column(config.dataset).upper()}"
    differing = sum(row.differs for row in rows(config))
    counted = f"{DIFFERS} differs from what the paper states: {differing}"
    numbered = [f"{i}. {step}" for i, step in enumerate(steps(config, out), start=1)]
    parts = [title, table(config), counted, "Without --dry-run, this would:", "\n".join(numbered)]
    return "\n\n".join(parts)
