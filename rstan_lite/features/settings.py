"""What a data set's features are made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rstan_lite.data.transforms import check_views
from rstan_lite.errors import ConfigError
from rstan_lite.features.backbones import STREAMS


@dataclass(frozen=True)
class FeatureSettings:
    """What the features of a data set are made with; all of it is part of the stores' keys.

    weights: a file for each stream that is wanted: a tuned network or an ImageNet state.
    backbone, size: network and side of its input in pixels; motion_backbone, motion_size: those of
    the motion stream, where they differ.
    views: the stored views of a training clip; the first also serves tests. frames: S stored
    frames a clip. flow, flow_weights: see `flow.estimator`. camera: see `flow.flow_sequence`.
    """

    weights: Mapping[str, str | Path]
    backbone: str = "squeezenet1_0"
    views: tuple[str, ...] = ("centre", "centre-mirror")
    frames: int = 16
    size: int = 224
    motion_backbone: str = ""
    motion_size: int = 0
    flow: str = "dis"
    flow_weights: str | Path = ""
    camera: str = "similarity"

    def __post_init__(self) -> None:
        for stream in self.weights:
            if stream not in STREAMS:
                raise ConfigError("stream", repr(stream), f"one of {', '.join(STREAMS)}")
        if not self.weights or not self.views:
            raise ConfigError("features", "no stream or no view", "at least one of each")
        check_views(self.views, self.size)

    def backbone_of(self, stream: str) -> str:
        """The name of a stream's network."""
        return (self.motion_backbone if stream == "motion" else "") or self.backbone

    def size_of(self, stream: str) -> int:
        """The side of a stream's images in pixels."""
        return (self.motion_size if stream == "motion" else 0) or self.size
