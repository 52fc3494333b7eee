"""Every setting of a training run, with the place each value comes from. Imports no torch."""

import typing
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from rstan_lite.data.datasets import DATASETS
from rstan_lite.data.splits import FOLDS
from rstan_lite.system import settings
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.reading import read_json
from rstan_lite.system.settings import check_class

STREAMS = ("appearance", "motion")
FOLDERS = ("root", "second_root", "cache", "appearance_weights", "motion_weights", "flow_weights")
NO_STREAMS = (*STREAMS, "fused", "target", "frames", "flow", "index", "masks")  # have other uses
FLOW = ("dis", "tvl1", "raft_small", "raft_large")


def _option(default: Any, help: str, choices: tuple[str, ...] = (), **more: Any) -> Any:
    """A field with its help text; `low`/`high` bound a number, `place` marks a mere location."""
    metadata = {"help": help, "choices": choices, **more}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """One training run. The defaults are the profile `course`; see `profiles.toml` for the others.

    Raises ConfigError for a value outside its range or choices that exclude each other.
    """

    # -- clips
    dataset: str = _option("puppets", f"clips: {', '.join(DATASETS)}, or module:Class of yours")
    root: str = _option("", "folder of the data set (puppets: made there if absent)")
    split: int = _option(1, "split list to use", low=1, high=3)
    missing: str = _option("error", "clips that a list names but the disk lacks", ("error", "skip"))
    damaged: str = _option("error", "clips that are there but can't be read", ("error", "skip"))
    validation: float = _option(0.1, "share of training source videos held out", low=0, high=0.5)
    fold: int = _option(0, "fold of the training list to test (0: none)", low=0, high=FOLDS)

    # -- features (Section III-A)
    backbone: str = _option("efficientnet_lite2", "preset, or network:cube node:vector node")
    appearance_weights: str = _option("", "weights file of the appearance network (none: tuned)")
    motion_weights: str = _option("", "weights file of the motion network (none: tuned)")
    flow: str = _option("dis", "optical flow method", FLOW)
    flow_weights: str = _option("", "weights file of RAFT (none: torchvision's)")
    camera: str = _option("similarity", "camera motion removed from flow", ("none", "similarity"))
    size: int = _option(224, "side of the network's input, pixels", low=32, high=512)
    motion_backbone: str = _option("puppetnet", "network of the motion stream (none: the same)")
    motion_size: int = _option(112, "its input, pixels (0: the same)", low=0, high=512)
    stored_frames: int = _option(16, "frames S stored a clip, equally spaced", low=1, high=128)
    inputs: tuple[str, ...] = _option((), "further streams, NAME=module:function of yours")
    input_networks: tuple[str, ...] = _option((), "NAME=network of them (none: as --backbone)")
    input_weights: tuple[str, ...] = _option((), "NAME=weights file of them (none: as of frames)")
    views: tuple[str, ...] = _option(("centre", "centre-mirror"), "stored views (first: for tests)")
    cache: str = _option("", "folder of features ($RSTAN_CACHE or the user's)", place=True)
    scale: str = _option("rms", "divide features by their root mean square", ("rms", "none"))

    # -- model (Section III-B and III-C)
    streams: tuple[str, ...] = _option(STREAMS, f"some of {', '.join(STREAMS)}, and of --inputs")
    d_h: int = _option(256, "size of the LSTM's hidden state", low=1)
    d_att: int = _option(256, "width of the attention", low=1)
    attention: str = _option("window", "attended frames", ("none", "current", "window", "all"))
    window: int = _option(2, "frames t .. t+window-1 attended by `window`", low=1)
    gamma_alpha: float = _option(1.0, "sharpness of the place scores, Eq. 3", low=0)
    gamma_beta: float = _option(1.0, "sharpness of the frame scores, Eq. 6", low=0)
    fusion: str = _option("max", "fusion of attention, Eq. 14-15", ("none", "mean", "max"))
    classifier: str = _option(
        "joint", "one softmax over both streams (Eq. 16), or averaged scores", ("joint", "score")
    )
    renormalize: bool = _option(False, "make fused attention sum to one again")
    dropout: float = _option(0.5, "dropout on x, Phi and h", low=0, high=0.95)

    # -- loss (Section III-D)
    aa_kind: str = _option("ce", "actor-attention loss, Eq. 18", ("l2", "ce", "none"))
    lambda_aa: float = _option(2.0, "its weight lambda_AA, Eq. 19", low=0)  # ours; paper: 0.5

    # -- optimisation (Section IV-B)
    frames: int = _option(8, "frames T a training clip", low=1)  # 8 on HMDB51, 16 on UCF101
    test_frames: int = _option(8, "equally spaced frames a test clip", low=1)  # the paper: 32
    batch_size: int = _option(16, "videos a mini-batch", low=1)  # 16: UCF101
    lr: float = _option(1e-2, "first learning rate", low=0)  # Sec. IV-B
    iterations: int = _option(600, "mini-batches in all", low=1)  # the paper: 20 000
    milestone: int = _option(360, "iteration from which lr is a tenth", low=0)  # 12 000 of 20 000
    momentum: float = _option(0.9, "momentum of SGD", low=0, high=0.999)  # Sec. IV-B
    weight_decay: float = _option(5e-4, "weight decay, lambda_Theta of Eq. 17", low=0)  # Sec. IV-B
    clip_norm: float = _option(5.0, "largest global gradient norm, 0: off", low=0)  # ours
    seed: int = _option(0, "seed of weights and sampling", low=0, high=2**63 - 1)  # torch's

    # -- a second data set, trained beside the first (Section IV-B); only the first is tested
    second_dataset: str = _option("none", "clips with their own classifier: as dataset, or none")
    second_root: str = _option("", "their folder (puppets: made there if absent)")
    second_split: int = _option(1, "their split list, whose training part trains", low=1, high=3)
    second_batch_size: int = _option(8, "their videos in a mini-batch, beside batch_size", low=1)
    second_weight: float = _option(0.1, "weight of their loss; that of the first is 1", low=0)

    # -- machine
    device: str = _option("auto", "where to compute", ("auto", "cpu", "cuda"), place=True)
    precision: str = _option("32", "arithmetic", ("32", "bf16"))
    recurrence: str = _option(
        "plain", "loop over frames: as written, or fast", ("auto", "plain", "fast"), place=True
    )
    save_seconds: float = _option(60.0, "seconds between checkpoints (0: none)", low=0, place=True)
    save_every: int = _option(0, "epochs between further checkpoints (0: none)", low=0, place=True)

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check(spec, getattr(self, spec.name))
        check_class("--dataset", self.dataset, DATASETS)
        if self.second_dataset != "none":
            check_class("--second-dataset", self.second_dataset, DATASETS)
        if self.attention == "none" and (self.fusion != "none" or self.aa_kind != "none"):
            found = f"none with --fusion {self.fusion} --aa-kind {self.aa_kind}"
            expected = "--fusion none --aa-kind none, as there is nothing to fuse or to regularise"
            hint = "The option --variant lstm sets all three."
            raise ConfigError("--attention", found, expected, hint)
        if self.fusion != "none" and self.classifier == "score":
            expected = "--classifier joint with fused attention, or --fusion none"
            raise ConfigError("--classifier", f"score with --fusion {self.fusion}", expected)
        self._check_inputs()
        for name in ("frames", "test_frames"):
            if (frames := getattr(self, name)) > self.stored_frames:
                expected = f"at most the {self.stored_frames} stored frames of a clip"
                hint = "Raise --stored-frames (the features are then computed anew)."
                raise ConfigError(f"--{name.replace('_', '-')}", f"{frames}", expected, hint)

    def _check_inputs(self) -> None:
        """Streams are known ones, or named once in --inputs with a function."""
        own = settings.pairs("--inputs", self.inputs)
        settings.check_names("--streams", self.streams, (*STREAMS, *own))
        for name, function in own.items():
            check_class(f"--inputs {name}", function, ("module:function",))
            if not name.isidentifier() or name in NO_STREAMS:
                raise ConfigError("--inputs", repr(name), "a plain name that has no other use")
        for option in ("inputs", "input_networks", "input_weights"):
            where = "--" + option.replace("_", "-")
            for name in settings.pairs(where, getattr(self, option)):
                if name not in self.streams or name not in own:
                    raise ConfigError(where, name, f"{name} in --inputs and in --streams")

    @property
    def head(self) -> str:
        """The name of the data set's classifier."""
        return self.dataset.rpartition(":")[2]

    @property
    def second_head(self) -> str:
        """The name of the second data set's classifier; empty where there is none."""
        if self.second_dataset == "none":
            return ""
        other = self.second_dataset.rpartition(":")[2]
        return other + ("_second" if other == self.head else "")


# the type of every option: int, float, str, bool or tuple
TYPES = {k: typing.get_origin(h) or h for k, h in typing.get_type_hints(TrainConfig).items()}


def _check(spec: Field[Any], value: Any) -> None:
    """One value against its field's type, choices and range."""
    where, kind, meta = "--" + spec.name.replace("_", "-"), TYPES[spec.name], spec.metadata
    low, high = meta.get("low"), meta.get("high")
    if kind is tuple and value != spec.default:
        settings.check_names(where, value, meta["choices"])
    elif kind is int:
        settings.check_count(where, value, low, high)
    elif kind is float:
        settings.check_real(where, value, low, high)
    elif not isinstance(value, kind):
        raise ConfigError(where, repr(value)[:200], f"a value of type {kind.__name__}")
    elif meta["choices"]:
        settings.check_choice(where, value, meta["choices"])


def from_mapping(values: Mapping[str, Any], where: str = "options") -> TrainConfig:
    """A TrainConfig from named values; lists become tuples. ConfigError names the real options."""
    names = [spec.name for spec in fields(TrainConfig)]
    for name in values:
        if name not in names:
            hint = settings.nearest(name, names)
            raise ConfigError(where, f"option {name!r}", settings.one_of(names), hint)
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return TrainConfig(**given)


def read_config(path: str | Path) -> TrainConfig:
    """The configuration that a run folder's config.json holds; ConfigError if damaged."""
    values = read_json(path, ConfigError, "a run's config.json")
    if not isinstance(values, dict):
        raise ConfigError(path, type(values).__name__, "an object of options")
    return from_mapping(values, where=str(path))


def differences(one: TrainConfig, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """Options in which two runs differ, leaving out those that only say where things are."""
    return {
        spec.name: (getattr(one, spec.name), getattr(other, spec.name))
        for spec in fields(TrainConfig)
        if not spec.metadata.get("place") and getattr(one, spec.name) != getattr(other, spec.name)
    }
