"""What a data set's features are made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rstan_lite.data.transforms import view_side
from rstan_lite.features.backbones import STREAMS, FeatureNet, backbone
from rstan_lite.features.uninitialised import Uninitialised
from rstan_lite.system.errors import ConfigError
from rstan_lite.system.settings import check_choice


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
            check_choice("stream", stream, STREAMS)
        if not self.weights or not self.views:
            raise ConfigError("features", "no stream or no view", "at least one of each")
        sides = {name: view_side(name, self.size) for name in self.views}
        if len(set(sides.values())) > 1:
            raise ConfigError("views", f"inputs of several sides, {sides}", "views of one size")

    def backbone_of(self, stream: str) -> str:
        """The name of a stream's network."""
        return (self.motion_backbone if stream == "motion" else "") or self.backbone

    def size_of(self, stream: str) -> int:
        """The side of a stream's images in pixels."""
        return (self.motion_size if stream == "motion" else 0) or self.size

    @cached_property
    def places(self) -> int:
        """P, places of the streams' cubes in the first view, see `places_of`."""
        return self.places_of(self.views)[self.views[0]]

    def places_of(self, views: Sequence[str]) -> dict[str, int]:
        """P of the cubes in each view, the same in all streams; only shapes are computed.

        Raises ConfigError for an unknown network or node, a side of images that a network can't
        take, and streams with other numbers of places.
        """
        found: dict[str, dict[str, int]] = {name: {} for name in views}
        known: dict[tuple[str, int], int] = {}
        for stream in self.weights:
            spec, size = backbone(self.backbone_of(stream)), self.size_of(stream)
            with Uninitialised():
                net = FeatureNet(spec, stream, side=size)
            for name in views:
                side = view_side(name, size)
                if (stream, side) not in known:
                    known[stream, side] = net.sizes(side)[0]
                found[name][stream] = known[stream, side]
        for name, of_view in found.items():
            if len(set(of_view.values())) > 1:
                raise ConfigError(
                    "features",
                    f"cubes of {of_view} places in the view {name}",
                    "as many places in both streams: attention is fused place by place (Eq. 14)",
                    "Choose other sizes of the networks' inputs.",
                )
        return {name: next(iter(of_view.values())) for name, of_view in found.items()}
