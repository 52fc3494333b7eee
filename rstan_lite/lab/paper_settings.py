"""A run's settings beside the paper's, with places and reasons; what `train --dry-run` prints.

A place such as "Sec. IV-B, second point" counts the points that the section numbers by words. The
values are in `training/profiles.toml`. Imports no torch.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rstan_lite.data.splits import part_name
from rstan_lite.system.settings import short, shown
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
    "validation": "no part of the training list is said to be held out",
    "fold": "its models are tested on the test list",
    "appearance_weights": "those of the paper cannot be had; `rstan-lite tune` makes some; "
    "networks tuned on UCF101 can be given",
    "motion_weights": "as appearance_weights",
    "flow": "the method is left open; the networks of [29] and [42] have TV-L1",
    "camera": "taking camera motion out of flow is not mentioned",
    "stored_frames": "as many as a test reads; of these, training has 2 phases with 16 frames, 4 "
    "with 8, where the paper samples at random with equal interval",
    "views": "corners and mirror as in [29] and [42] (Sec. IV-B, first point), but fixed, as "
    "features are stored; the scale jitter of those networks is left out",
    "d_att": "the width of Eq. 2 and Eq. 5 is not given",
    "lambda_aa": "without silhouettes there is no Eq. 18",
    "frames": "left open on JHMDB; UCF101, which trains along, has 16",
    "clip_norm": "against single large gradients of the recurrence; log.csv counts its use",
}
OTHERWISE = "the paper does not mention it"


@dataclass(frozen=True)
class Setting:
    """A setting: its value in a run, the paper's for that data set or None, and where or why.

    source: the place in the paper that states it, or our reason where none does.
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
    dataset = column(config.dataset)
    papers, ours, found = stated(dataset), OURS | OURS_FOR.get(dataset, {}), []
    for name in (spec.name for spec in fields(TrainConfig)):
        value = getattr(config, name)
        if name in papers:
            source = PLACES[name]
        else:
            taken, source = ours.get(name, value), f"ours: {REASONS.get(name, OTHERWISE)}"
            source += "" if taken == value else f" (profile paper: {short(taken)})"
        found.append(Setting(name, value, papers.get(name), source))
    return found


def describe(config: TrainConfig, out: Path) -> str:
    """The table of a run's settings, as `rstan-lite train --dry-run` prints it."""
    lines = [("", "setting", "value", "the paper", "where it says so, or why it is ours")]
    for row in beside_paper(config):
        stated = NOT_STATED if row.stated is None else shown(row.stated)
        mark = DIFFERS if row.differs else ""
        lines.append((mark, row.name, short(row.value), short(stated), row.source))
    title = f"{config.dataset}, beside the paper's settings for {column(config.dataset).upper()}"
    differing = sum(bool(line[0]) for line in lines)
    counted = f"{DIFFERS} differs from what the paper states: {differing}"
    part = part_name(config.split, config.fold)
    would = (
        f"Without --dry-run, this would train and test on {part}, and write the run folder {out}"
    )
    return "\n\n".join([title, "\n".join(aligned(lines)), counted, would])
