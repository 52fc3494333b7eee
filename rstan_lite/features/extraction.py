"""The steps from a clip on disk to its features in the stores, several clips at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.sampling import ClipSequence
from rstan_lite.data.silhouettes import target
from rstan_lite.data.transforms import view, view_side
from rstan_lite.features.backbones import FeatureNet, backbone
from rstan_lite.features.inputs import InputStore, coded_flow, pick_inputs, stream_images
from rstan_lite.features.networks import load_imagenet, tuned_trunk
from rstan_lite.features.store import Store, code_print, fingerprint
from rstan_lite.system.errors import ConfigError, DataError, RstanError
from rstan_lite.system.files import clear_parts
from rstan_lite.system.interruption import starting_processes
from rstan_lite.system.settings import imported, pairs
from rstan_lite.system.tables import progress_bar
from rstan_lite.system.tensor_files import load_weights, read_state
from rstan_lite.system.threads import LARGE, for_work

# Images through a network at a time. On a CPU the maps of four still fit into its cache.
BATCH = {"cpu": 4, "cuda": 64}
START = "spawn"  # of processes: a forked one may inherit a lock that a thread of torch holds
AHEAD = 4  # clips that a process may be ahead of the main one

# A stream or "target", and the frames and view of a clip that it is made of.
Wanted = tuple[str, ClipSequence]
# What is done with a clip and what the step before made of it (the first: None).
Step = Callable[[Clip, Any], Any]


@dataclass(frozen=True)
class FeatureSettings:
    """What the features of a data set are made with; all of it is part of the stores' keys.

    weights: a file for each stream that is wanted: a tuned network or an ImageNet state.
    backbone, size: network and side of its input in pixels; motion_*: of the motion stream.
    views: the stored views of a training clip; the first also serves tests. frames: S stored
    frames a clip. flow, flow_weights: see `flow.estimator`. camera: see `flow.flow_sequence`.
    inputs, input_networks: NAME=VALUE, of further streams, as TrainConfig has them.
    """

    weights: Mapping[str, str | Path]
    backbone: str = "efficientnet_lite2"
    views: tuple[str, ...] = ("centre", "centre-mirror")
    frames: int = 16
    size: int = 224
    motion_backbone: str = ""
    motion_size: int = 0
    flow: str = "dis"
    flow_weights: str | Path = ""
    camera: str = "similarity"
    inputs: tuple[str, ...] = ()
    input_networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sides = {name: view_side(name, self.size) for name in self.views}
        if len(set(sides.values())) > 1:
            raise ConfigError("views", f"inputs of several sides, {sides}", "views of one size")

    def backbone_of(self, stream: str) -> str:
        """The name of a stream's network."""
        own = pairs("--input-networks", self.input_networks)
        return {"motion": self.motion_backbone, **own}.get(stream) or self.backbone

    def size_of(self, stream: str) -> int:
        """The side of a stream's images in pixels."""
        return (self.motion_size if stream == "motion" else 0) or self.size

    def function_of(self, stream: str) -> str:
        """The module:function that makes a stream's images; empty for frames and flow."""
        return pairs("--inputs", self.inputs).get(stream, "")

    def code_of(self, *streams: str) -> dict[str, str]:
        """The user's modules that make streams' features, each with a hash of its file."""
        modules = {self.function_of(stream).partition(":")[0] for stream in streams}
        modules |= {backbone(self.backbone_of(stream)).module for stream in streams}
        return {module: code_print(module) for module in sorted(modules - {""})}

    def network(self, stream: str) -> FeatureNet:
        """A stream's network without weights."""
        with torch.device("meta"):
            spec, side = backbone(self.backbone_of(stream)), self.size_of(stream)
            return FeatureNet(spec, stream, side)

    def places_of(self, views: Sequence[str]) -> dict[str, int]:
        """P of the cubes in each view, the same in all streams; only shapes are computed.

        Raises ConfigError for a network, node or side that does not fit, and for unlike streams.
        """
        sizes = {stream: cache(self.network(stream).sizes) for stream in self.weights}
        found: dict[str, int] = {}
        for name in views:  # many are of one side
            places = {s: of(view_side(name, self.size_of(s)))[0] for s, of in sizes.items()}
            found[name], *others = set(places.values())
            if others:
                said = f"cubes of {places} places in the view {name}"
                want = "as many places in all streams: attention is fused place by place (Eq. 14)"
                hint = f"Change --size (now {self.size}) or --motion-size ({self.motion_size})."
                raise ConfigError("features", said, want, hint)
        return found


def load_network(settings: FeatureSettings, stream: str) -> FeatureNet:
    """A stream's network with the weights of a tuned or shipped network, or an ImageNet state.

    From the latter a motion network gets its first convolution by cross-modality initialisation.
    Raises CheckpointError for a file that does not fit.
    """
    path, net = settings.weights[stream], settings.network(stream)
    state = read_state(Path(path))
    if tuned_trunk(state):  # what else it holds, the tuning's classifier read
        load_weights(net, {k: v for k, v in state.items() if k in net.state_dict()}, str(path))
    else:
        load_imagenet(net, path)
    return net.eval()


@torch.no_grad()
def image_features(net: FeatureNet, images: Tensor, device: str = "cpu") -> dict[str, Tensor]:
    """Cubes (n, P, d_cv) and vectors (n, d_fc), float16, of images uint8 (n, s, s, channels)."""
    parts = [net.features(chunk.to(device)) for chunk in images.split(BATCH[device])]
    return {name: torch.cat([part[name] for part in parts]).half().cpu() for name in parts[0]}


class Made(NamedTuple):
    """A clip on its way through the steps: its fingerprint, and tensors by name."""

    clip_print: str
    tensors: dict[str, Tensor]


@dataclass
class Extraction:
    """The steps from a clip to its features: decode it once, compute the flow, fill the stores.

    inputs: what `rstan-lite tune` stored; it is not made again, and nothing is added to it. todo:
    the stores that lack each clip. device: of the networks.
    """

    dataset: ClipDataset
    inputs: InputStore
    todo: Mapping[Clip, Sequence[Wanted]]
    stores: Mapping[Wanted, Store]
    settings: FeatureSettings
    device: str = "cpu"

    title = "features"

    def decode(self, clip: Clip, _: None) -> Made:
        """All frames and masks of a clip; or its inputs, where they are stored and suffice."""
        found = fingerprint(clip.path)  # before the clip is read: a later change is then seen
        # the clip is hashed once; its silhouettes are another file
        stored = self.inputs.current(clip, lambda p: found if p == clip.path else fingerprint(p))
        kept = ("whole", self.inputs.frames)
        if stored and all((one.extent, one.frames) == kept for _, one in self.todo[clip]):
            names = ("frames", "flow", "index", *(("masks",) if self.inputs.has_masks else ()))
            return Made(found, {name: self.inputs.read(clip, name) for name in names})
        frames = self.dataset.frames(clip)
        tensors = {"frames": torch.from_numpy(frames)}
        if self.inputs.has_masks:
            tensors["masks"] = torch.from_numpy(self.dataset.silhouettes(clip, frames))
        if stored:
            tensors["flow"] = self.inputs.read(clip, "flow")
        return Made(found, tensors)

    def compute(self, clip: Clip, made: Made) -> Made:
        """The clip's inputs at the frames that are wanted of it."""
        tensors = made.tensors
        if "index" not in tensors:
            arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
            frames, flow = arrays["frames"], arrays.get("flow")
            if flow is None:
                flow = coded_flow(frames, self.inputs.flow, self.inputs.camera)
            wanted = {(one.extent, one.frames): one for _, one in self.todo[clip]}.values()
            index = np.sort(np.concatenate([one.index(len(frames)) for one in wanted]))
            tensors = pick_inputs(frames, arrays.get("masks"), index, flow)
        for stream in dict(self.todo[clip]):
            if function := self.settings.function_of(stream):
                tensors[stream] = own_images(stream, function, tensors, clip.path, tensors["index"])
        return Made(made.clip_print, tensors)

    @cached_property
    def networks(self) -> dict[str, FeatureNet]:
        """The streams' networks; a process that takes this step loads them once for itself."""
        nets = {stream: load_network(self.settings, stream) for stream in self.settings.weights}
        last = torch.channels_last
        return {name: net.to(self.device).to(memory_format=last) for name, net in nets.items()}

    def written(self) -> Iterable[Store]:
        """The stores that are written to."""
        return self.stores.values()

    def store(self, clip: Clip, made: Made) -> None:
        """Write the clip's features and targets; they appear whole or not at all."""
        there, n_frames = made.tensors["index"].numpy(), len(made.tensors["flow"]) + 1
        by_view: dict[tuple[str, str], list[ClipSequence]] = {}  # what shares images
        for kind, one in self.todo[clip]:
            by_view.setdefault((kind, one.view), []).append(one)
        for (kind, name), members in by_view.items():
            index = {one: one.index(n_frames) for one in members}
            used = np.unique(np.concatenate(list(index.values())))  # each frame once
            rows = np.searchsorted(there, used)
            if kind == "target":
                places = self.stores[kind, members[0]].key["places"]
                found = {"target": self._target(made, name, rows, places)}
            else:
                net, size = self.networks[kind], self.settings.size_of(kind)
                read = made.tensors.__getitem__
                images = stream_images(read, kind, name, size, rows.tolist(), net.spec.pairs)
                found = image_features(net, images, self.device)
            for one in members:
                at = torch.from_numpy(np.searchsorted(used, index[one]))
                of_one = {name: tensor[at] for name, tensor in found.items()}
                self.stores[kind, one].write(clip, of_one, made.clip_print)

    def _target(self, made: Made, name: str, rows: np.ndarray, places: int) -> Tensor:
        """M of Eq. 18 of frames in a view, (n, P); zeros where the data set has no silhouettes."""
        if "masks" not in made.tensors:
            return torch.zeros(len(rows), places)
        masks = made.tensors["masks"].numpy()[rows]
        geometry = view(name, masks.shape[1:3], self.settings.size)
        seen = np.stack([geometry.mask(mask) for mask in masks])
        return torch.from_numpy(target(seen, round(places**0.5)))

    @for_work(LARGE)
    def run(self, workers: int, progress: bool = True) -> None:
        """Take all clips through the steps, several at a time; see `over_clips`.

        On a CPU each process does all of a clip, and nothing but names goes between them. Where a
        GPU computes, processes decode while the main one computes.
        """
        if not self.todo:
            return
        for store in self.written():
            clear_parts(store.folder)
        order: list[Step] = [self.decode, self.compute, self.store]
        remote = 3 if self.device == "cpu" else 2  # steps that a process of its own can do
        remote = remote if self.inputs.flow.forks else 1
        steps = order[:remote], order[remote:]
        over_clips(list(self.todo), *steps, workers, self.title, self.dataset, progress)


def own_images(
    stream: str, function: str, inputs: Mapping[str, Tensor], path: Path, index: Tensor | np.ndarray
) -> Tensor:
    """The images uint8 (n, h, w, C) that a function of the user's makes of a clip's frames.

    function: module:name. It takes inputs["frames"] (n, H, W, 3), the clip's path, and the frames'
    places in it, index (n,). Raises ConfigError for one that is not there, or gives other arrays.
    """
    where, (module, _, name) = f"--inputs {stream}={function}", function.partition(":")
    frames, call = inputs["frames"].numpy().copy(), imported(where, module, name, "module:function")
    made, (n, height, width) = call(frames, path, np.asarray(index)), frames.shape[:3]
    expected = f"uint8 ({n}, h, w, channels), with h to w as {height} to {width} of the frames"
    if not isinstance(made, np.ndarray):
        raise ConfigError(where, f"a {type(made).__name__}", expected)
    right = made.dtype == np.uint8 and made.ndim == 4 and len(made) == n and made.size > 0
    if not right or abs(made.shape[1] * width - made.shape[2] * height) > max(height, width):
        raise ConfigError(where, f"{made.dtype} {made.shape}", expected)
    return torch.from_numpy(np.ascontiguousarray(made))


def over_clips(
    clips: Sequence[Clip], remote: Sequence[Step], local: Sequence[Step], workers: int, title: str,
    dataset: ClipDataset, progress: bool = True,
) -> None:  # fmt: skip
    """Take every clip through the steps `remote`, then `local`.

    remote: done in `workers` processes (one or none: in this one), which hold a copy of the steps'
    objects. local: done here meanwhile. title, progress: of the bar.
    A damaged clip does not stop the others; at the end `ClipDataset.settle` reports all damaged
    ones or leaves them out. Raises at once what else a step raises.
    """
    several: dict[str, Any] = {}
    if workers > 1:
        several = {"num_workers": workers, "prefetch_factor": AHEAD}
        several |= {"worker_init_fn": one_thread, "multiprocessing_context": START}
    read: Any = clips  # a list is all that the loader asks for
    loader = DataLoader(read, batch_size=None, collate_fn=partial(_attempt, remote), **several)
    damaged: dict[Clip, DataError] = {}
    # the bar beside the loop: tqdm.auto begins an iteration of its own, with processes of its own
    with progress_bar(total=len(clips), desc=title, shown=progress) as bar:
        with starting_processes():
            values = iter(loader)
        for clip, value in zip(clips, values, strict=True):
            try:
                if isinstance(value, RstanError):
                    raise value
                _through(local, clip, value)
            except DataError as error:
                damaged[clip] = error
            bar.update()
    dataset.settle(damaged)


def _attempt(steps: Sequence[Step], clip: Clip) -> Any:
    """The steps that are a process's own; complaints are results, too."""
    try:
        return _through(steps, clip, None)
    except RstanError as error:
        return error


def _through(steps: Sequence[Step], clip: Clip, value: Any) -> Any:
    try:
        for step in steps:
            value = step(clip, value)
    except DataError as error:
        if error.where != "clip":  # of frames alone, which do not know their clip
            raise
        raise DataError(clip.path, error.found, error.expected, error.hint) from error
    return value


def one_thread(worker: int) -> None:
    """Begin a process of a loader: torch's threads are one already, OpenCV's become one."""
    cv2.setNumThreads(1)
