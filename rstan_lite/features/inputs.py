"""What the two networks take of a clip: frames, flow and silhouettes, stored in little space."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor

from rstan_lite.data.clips import Clip, ClipDataset
from rstan_lite.data.transforms import view
from rstan_lite.features import flow as optical
from rstan_lite.features.flow import BOUND, CAMERA, PAIRS, Estimator, estimator
from rstan_lite.features.store import MEND, Store, digest
from rstan_lite.system.errors import DataError, StoreError

FLOW_HEIGHT = 192  # px; flow is smooth, so it is stored smaller than the frames it comes from
MIN_SIDE = 16  # px
PACKED = ("frames", "flow", "masks")


class InputStore(Store):
    """A store of inputs; frames, flow and masks are compressed in it, without loss.

    frames: S, equally spaced frames kept of each clip. flow, camera: see `flow.flow_sequence`.
    Tensors of a clip: "frames" uint8 (S, H, W, 3); "masks" uint8 (S, H, W), where `has_masks`;
    "index" int64 (S,), the frames' places in the clip; "flow" uint8 (F - 1, h, w, 2), coded.
    recipe: all that they depend on, as JSON values.
    """

    def __init__(
        self, cache: str | Path, recipe: dict[str, Any], frames: int, flow: Estimator, camera: str
    ):
        self.recipe, self.frames, self.flow, self.camera = recipe, frames, flow, camera
        self.has_masks = recipe.get("masks") != "none"
        key = {"content": "inputs 2", **recipe}
        super().__init__(Path(cache) / f"inputs-{digest(key)}", key)

    def read(self, clip: Clip, name: str) -> Tensor:
        """A whole tensor."""
        found = self.lazy(clip, name)
        if isinstance(found, Images):
            return torch.from_numpy(np.stack([found[i] for i in range(len(found))]))
        return found

    def lazy(self, clip: Clip, name: str) -> "Images | Tensor":
        """A tensor, of which a packed one is read image by image as it is indexed."""
        if name not in PACKED:
            return super().read(clip, name)
        with self._open(self.path(clip)) as file:
            parts = [file.get_tensor(name + end) for end in ("", ".ends", ".shape")]
        return Images(parts[0], parts[1], parts[2], str(self.path(clip)))


def inputs_store(
    dataset: ClipDataset, cache: str | Path, frames: int, flow: str | Estimator = "dis",
    camera: str = "none",
) -> InputStore:  # fmt: skip
    """The store of a data set's inputs. frames, flow, camera: see `InputStore`."""
    method = estimator(flow) if isinstance(flow, str) else flow
    recipe = {"dataset": dataset.identity(), "layout": dataset.layout, "frames": frames}
    recipe |= {"flow": method.parameters, "camera": [camera, CAMERA[camera]]}
    recipe |= {"bound": BOUND, "flow_height": FLOW_HEIGHT}
    recipe |= {} if dataset.has_silhouettes else {"masks": "none"}
    return InputStore(cache, recipe, frames, method, camera)


def coded_flow(frames: np.ndarray, flow: str | Estimator, camera: str) -> np.ndarray:
    """The flow of all frames (F, H, W, 3) of a clip as it is stored, uint8 (F - 1, h, w, 2)."""
    if len(frames) < 2:
        raise DataError("clip", f"{len(frames)} frame", "two frames or more: flow needs a pair")
    height, width = frames.shape[1:3]
    if min(height, width) < MIN_SIDE:
        expected = f"{MIN_SIDE} or more on each side: flow needs them"
        raise DataError("clip", f"frames of {width} x {height} pixels", expected)
    fields = optical.flow_sequence(frames, flow, camera)
    if height > FLOW_HEIGHT:
        size = (round(width * FLOW_HEIGHT / height), FLOW_HEIGHT)
        fields = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in fields])
    return optical.encode(fields)


def pick_inputs(
    frames: np.ndarray, masks: np.ndarray | None, index: np.ndarray, flow: np.ndarray
) -> dict[str, Tensor]:
    """An `InputStore`'s tensors of a clip, of which all frames (F, H, W, 3) are there.

    masks: (F, H, W), or None. index: (S,), the frames to keep. flow: coded, of all pairs.
    """
    arrays = {"frames": frames[index], "index": index, "flow": flow}
    arrays |= {} if masks is None else {"masks": masks[index]}
    return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}


def stream_images(
    read: Callable[[str], "Tensor | Images"], stream: str, name: str, size: int,
    frames: Sequence[int], pairs: int = PAIRS,
) -> Tensor:  # fmt: skip
    """A clip's images for a stream in a view, uint8 (len(frames), size, size, channels).

    read: gives the clip's "frames", "flow" and "index" (see `InputStore`), or a further stream's
    `own_images` by its name. name: of the view.
    frames: which of the S stored frames. pairs: of flow, those that the motion network takes.
    """
    if stream != "motion":
        pictures = read("frames" if stream == "appearance" else stream)
        geometry = view(name, pictures.shape[1:3], size)
        images = [geometry.frame(np.asarray(pictures[i])) for i in frames]
    else:
        flow, index = read("flow"), np.asarray(read("index"))
        geometry = view(name, flow.shape[1:3], size)
        images = optical.stacks(flow, index[list(frames)].tolist(), geometry, pairs)
    return torch.from_numpy(np.ascontiguousarray(np.stack(images)))


class Images:
    """Packed images, decoded one at a time: `len(images)`, `images.shape`, `images[i]`.

    data, ends, shape: as `lab.tuning_images.pack` made them, else StoreError. where: their file.
    """

    def __init__(self, data: Tensor, ends: Tensor, shape: Tensor, where: str = "stored images"):
        self._data, self._where = data.numpy(), where
        fits = data.ndim == ends.ndim == shape.ndim == 1 and len(shape) in (2, 3)
        whole = ends.dtype == shape.dtype == torch.int64 and data.dtype == torch.uint8
        self._ends = [0, *ends.tolist()] if fits and whole else []
        if self._ends != sorted(self._ends) or self._ends[-1:] != [len(data)]:
            raise self._damaged()
        self.shape = (len(ends), *shape.tolist())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, i: int) -> np.ndarray:
        """Image i, uint8 (H, W, c) or (H, W)."""
        file = self._data[self._ends[i] : self._ends[i + 1]]
        image = cast("np.ndarray | None", cv2.imdecode(file, cv2.IMREAD_UNCHANGED))
        if image is None or image.size != math.prod(self.shape[1:]):
            raise self._damaged()
        if image.shape == self.shape[1:]:
            return image
        return image.reshape(self.shape[3], *self.shape[1:3]).transpose(1, 2, 0)

    def _damaged(self) -> StoreError:
        return StoreError(self._where, "images that do not decode", "packed PNG files", MEND)
