"""Profiles (how large a run is), and the paper's settings, of which the profile `paper` is made.

It has our choices where the paper states nothing. A place such as "Sec. IV-B, second point" counts
the points that the section numbers by words. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rstan_lite.system.settings import check_choice, short, shown
from rstan_lite.training.config import TrainConfig, from_mapping

# Differences from TrainConfig's defaults, which are the profile `course`. The profile `paper` is
# another for each data set, see PAPER and OURS.
SIZES: dict[str, dict[str, Any]] = {
    # A test: seconds on two cores, with the small networks that ship with the package.
    "tiny": {
        "backbone": "puppetnet",
        "size": 112,  # pixels, which puppetnet makes 7 x 7 places of
        "motion_size": 0,  # the same
        "dropout": 0.0,
        "d_h": 64,
        "d_att": 32,
        "iterations": 300,
        "milestone": 180,  # three fifths of the way, as in the paper
        "lambda_aa": 0.5,  # enough to find the actor; more leaves less to the action
    },
    # A class room: minutes on a laptop. Its silhouette loss is the cross-entropy: in so short a
    # training the squared distance of Eq. 18 hardly moves the attention (its gradient at an even
    # map is some twenty times smaller).
    "course": {},
}
PROFILES = (*SIZES, "paper")
NOT_STATED = "not stated"


# Rows of Tables I to III. "Two streams without fusion" averages two softmaxes there.
VARIANTS: dict[str, dict[str, Any]] = {
    "lstm": {"attention": "none", "fusion": "none", "classifier": "score", "aa_kind": "none"},
    "attention": {"fusion": "none", "classifier": "score", "aa_kind": "none"},
    "fusion-mean": {"fusion": "mean", "classifier": "joint", "aa_kind": "none"},
    "fusion-max": {"fusion": "max", "classifier": "joint", "aa_kind": "none"},
    "silhouettes-ce": {"fusion": "max", "classifier": "joint", "aa_kind": "ce"},
    "silhouettes": {"fusion": "max", "classifier": "joint", "aa_kind": "l2"},
    "current-frame": {"attention": "current", "fusion": "max", "aa_kind": "l2"},
}

PAPER_DATASETS = ("ucf101", "hmdb51", "jhmdb")
STANDS_FOR = {"puppets": "jhmdb"}  # generated clips take the settings of the data set they imitate


def column(dataset: str) -> str:
    """The paper's data set whose settings a data set takes: puppets take JHMDB's."""
    return STANDS_FOR.get(dataset, dataset)


@dataclass(frozen=True)
class Stated:
    """What the paper says of a setting, and where.

    values: by data set; one that is absent has no value stated.
    """

    place: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Ours:
    """Why a setting is as it is where the paper states none.

    values: by data set, for the profile `paper`; one that is absent keeps the default.
    """

    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)


def _all(value: Any) -> dict[str, Any]:
    return dict.fromkeys(PAPER_DATASETS, value)


def _by(ucf101: Any, hmdb51: Any, jhmdb: Any) -> dict[str, Any]:
    return {"ucf101": ucf101, "hmdb51": hmdb51, "jhmdb": jhmdb}


_SHARPNESS = "Sec. IV-B, third point"
_SCHEDULE = "Sec. IV-B, last point"
_MULTI_TASK = "Sec. IV-B, second point"

PAPER: dict[str, Stated] = {
    "dataset": Stated("Sec. IV-A", {name: name for name in PAPER_DATASETS}),
    "split": Stated("Sec. IV-C, first paragraph; Tables IV and V: mean over 1 to 3", _all(1)),
    "backbone": Stated(
        "Sec. IV-C, first paragraph: GPCNN (VGG-16), TSN on HMDB51; Tables IV and V: TSN as well",
        _by("vgg16", "bninception", "vgg16"),
    ),
    "size": Stated("Sec. IV-C, first paragraph", _all(224)),
    "streams": Stated("Sec. III-A", _all(("appearance", "motion"))),
    "d_h": Stated("Sec. IV-B, first point", _all(1024)),
    "attention": Stated(_SHARPNESS, _by("all", "all", "window")),
    "window": Stated(_SHARPNESS, {"jhmdb": 2}),
    "gamma_alpha": Stated(_SHARPNESS, _by(5.0, 5.0, 1.0)),
    "gamma_beta": Stated(_SHARPNESS, _by(10.0, 10.0, 1.0)),
    "fusion": Stated("Eq. 14-15; Sec. IV-C, 2)", _all("max")),
    "classifier": Stated("Eq. 16", _all("joint")),
    "renormalize": Stated("Eq. 14-15, as they stand", _all(False)),
    "aa_kind": Stated(f"Eq. 18; {_MULTI_TASK}; Sec. IV-C, 3) and Table II: JHMDB alone", {
        "ucf101": "none", "hmdb51": "none", "jhmdb": "l2",
    }),
    "lambda_aa": Stated(_MULTI_TASK, {"jhmdb": 0.5}),
    "frames": Stated(_MULTI_TASK, {"ucf101": 16, "hmdb51": 8}),
    "test_frames": Stated("Sec. IV-C, first paragraph", _all(32)),
    "batch_size": Stated(_MULTI_TASK, _by(16, 32, 8)),
    "lr": Stated(_SCHEDULE, _all(1e-2)),
    "iterations": Stated(_SCHEDULE, _all(20_000)),
    "milestone": Stated(_SCHEDULE, _all(12_000)),
    "momentum": Stated(_SCHEDULE, _all(0.9)),
    "weight_decay": Stated(_SCHEDULE, _all(5e-4)),
    "second_dataset": Stated(_MULTI_TASK, _by("none", "none", "ucf101")),
    "second_batch_size": Stated(_MULTI_TASK, {"jhmdb": 8}),
    "second_weight": Stated(_MULTI_TASK, {"jhmdb": 0.1}),
}  # fmt: skip

_CORNERS = ("centre", "top-left", "top-right", "bottom-left", "bottom-right")
_CROPS = (*_CORNERS, *(corner + "-mirror" for corner in _CORNERS))
_NO_SECOND = "used with a second data set alone"

OURS: dict[str, Ours] = {
    "root": Ours("where your copy lies"),
    "missing": Ours("an incomplete copy is an error, not passed over"),
    "damaged": Ours("a damaged copy is an error, not passed over"),
    "validation": Ours(
        "no part of the training list is said to be held out",
        _all(0.0),
    ),
    "fold": Ours("its models are tested on the test list", _all(0)),
    "appearance_weights": Ours(
        "those of the paper cannot be had; `rstan-lite tune` makes some; networks tuned on UCF101 "
        "can be given"
    ),
    "motion_weights": Ours("as appearance_weights"),
    "motion_backbone": Ours("empty: as backbone, which thus sets both streams", _all("")),
    "motion_size": Ours("0: as size, which thus sets both streams", _all(0)),
    "flow_weights": Ours("read by RAFT alone"),
    "flow": Ours("the method is left open; the networks of [29] and [42] have TV-L1", _all("tvl1")),
    "camera": Ours("taking camera motion out of flow is not mentioned", _all("none")),
    "stored_frames": Ours(
        "as many as a test reads; of these, training has 2 phases with 16 frames, 4 with 8, "
        "where the paper samples at random with equal interval",
        _all(32),
    ),
    "views": Ours(
        "corners and mirror as in [29] and [42] (Sec. IV-B, first point), but fixed, as features "
        "are stored; the scale jitter of those networks is left out",
        _all(_CROPS),
    ),
    "cache": Ours("where this machine keeps features"),
    "scale": Ours("not mentioned", _all("none")),
    "d_att": Ours("the width of Eq. 2 and Eq. 5 is not given"),
    "window": Ours("not read where all frames are attended"),
    "dropout": Ours("not mentioned", _all(0.0)),
    "lambda_aa": Ours(
        "without silhouettes there is no Eq. 18", {"ucf101": 0.0, "hmdb51": 0.0},
    ),
    "frames": Ours("left open on JHMDB; UCF101, which trains along, has 16", {"jhmdb": 16}),
    "clip_norm": Ours("against single large gradients of the recurrence; log.csv counts its use"),
    "seed": Ours("not mentioned; several seeds show the spread"),
    "second_root": Ours("where your copy lies"),
    "second_split": Ours("left open: the same as the default of split", _all(1)),
    "second_batch_size": Ours(_NO_SECOND),
    "second_weight": Ours(_NO_SECOND),
    "device": Ours("what this machine has"),
    "recurrence": Ours("how it is computed; the function is the same", _all("fast")),
    "precision": Ours("not mentioned", _all("32")),
    "save_seconds": Ours("how much a kill may cost, whatever an epoch takes"),
    "save_every": Ours("as save_seconds"),
}  # fmt: skip

# Settings of the recurrence and its frames, which two data sets trained together have in common.
SHARED = ("attention", "gamma_alpha", "gamma_beta", "frames")

# Puppets have no UCF101 beside them, and fill the mini-batch alone.
_ALONE = {"puppets": {"second_dataset": "none", "batch_size": 16}}


def resolve(
    profile: str = "course",
    overrides: Mapping[str, Any] | None = None,
    variant: str | None = None,
) -> TrainConfig:
    """The configuration of a profile, changed by a variant and then by single options.

    The profile `paper` has the settings that the paper gives for the data set among the options.

    Raises ConfigError for an unknown profile, variant or option, naming the real ones.
    """
    check_choice("--profile", profile, PROFILES)
    if variant is not None:
        check_choice("--variant", variant, tuple(VARIANTS))
    dataset = str((overrides or {}).get("dataset", TrainConfig.dataset))
    chosen = paper_profile(dataset) if profile == "paper" else dict(SIZES[profile])
    if variant is not None:
        chosen.update(VARIANTS[variant])
    chosen.update(overrides or {})
    if "iterations" in (overrides or {}) and "milestone" not in (overrides or {}):
        chosen["milestone"] = chosen["iterations"] * 3 // 5  # keeps the paper's proportion
    return from_mapping(chosen)


def paper_profile(dataset: str) -> dict[str, Any]:
    """The settings of the profile `paper` for a data set: the paper's, and ours where it has none.

    The data set's own name is left out, as it is asked for.
    """
    name = column(dataset)
    ours = {key: one.values[name] for key, one in OURS.items() if name in one.values}
    stated = {key: one.values[name] for key, one in PAPER.items() if name in one.values}
    stated.pop("dataset", None)
    return ours | stated | _ALONE.get(dataset, {})


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
    name, found, others = column(config.dataset), [], of_second(config)
    for spec in fields(TrainConfig):
        value, stated = getattr(config, spec.name), PAPER.get(spec.name)
        if stated is not None and name in stated.values:
            found.append(Setting(spec.name, value, stated.values[name], stated.place))
        else:
            found.append(Setting(spec.name, value, None, _reason(spec.name, name, value)))
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
    return text if taken == value else f"{text} (profile paper: {short(taken)})"
