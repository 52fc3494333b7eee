"""One geometric transform for frames, optical flow and silhouettes alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rstan_lite.system.errors import ConfigError

# A network trained on 224-pixel crops of 256-pixel frames sees this share of the short side.
CROP, SHORT_SIDE = 224, 256
CENTRE_SHARE = CROP / SHORT_SIDE
CORNERS = ("centre", "top-left", "top-right", "bottom-left", "bottom-right")


@dataclass(frozen=True)
class Geometry:
    """Cut a box out of a frame, scale it to a square of `size` pixels, and mirror it if asked.

    The box is given in shares of the frame's height and width, in [0, 1], so that the same geometry
    fits a frame, a flow field stored at another size, and a silhouette.
    """

    top: float
    left: float
    height: float
    width: float
    size: int
    mirror: bool = False

    def box(self, rows: int, columns: int) -> tuple[int, int, int, int]:
        """The box in pixels of a (rows, columns) array: top, bottom, left, right."""
        top, left = round(self.top * rows), round(self.left * columns)
        bottom = min(rows, max(top + 1, round((self.top + self.height) * rows)))
        right = min(columns, max(left + 1, round((self.left + self.width) * columns)))
        return min(top, bottom - 1), bottom, min(left, right - 1), right

    def _apply(self, array: np.ndarray, interpolation: int) -> np.ndarray:
        top, bottom, left, right = self.box(*array.shape[:2])
        cut = array[top:bottom, left:right]
        if interpolation == cv2.INTER_AREA and self.size > min(cut.shape[:2]):
            interpolation = cv2.INTER_LINEAR  # area averaging is for shrinking only
        out = cv2.resize(cut, (self.size, self.size), interpolation=interpolation)
        return out[:, ::-1] if self.mirror else out

    def frame(self, frame: np.ndarray) -> np.ndarray:
        """frame: uint8 (H, W, C). Returns uint8 (size, size, C)."""
        parts = (frame[..., i : i + 4] for i in range(0, frame.shape[2], 4))  # OpenCV's most
        return np.dstack([self._apply(part, cv2.INTER_AREA) for part in parts])

    def flow(self, stack: np.ndarray) -> np.ndarray:
        """A stack of 8-bit flow, uint8 (H, W, 2 * L), as (size, size, 2 * L); mirroring negates x.

        stack: interleaved x then y, 128 for no motion, in pixels of the source frame.
        """
        out = self._apply(stack, cv2.INTER_LINEAR)
        if self.mirror:
            out = out.copy()
            # 256 - x mirrors about 128; 0 (which stands for -20 px and beyond) goes to 255
            out[..., 0::2] = np.minimum(256 - out[..., 0::2].astype(np.int16), 255)
        return out

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask uint8 (H, W) of {0, 1} as (size, size), set where any set pixel falls."""
        out = self._apply(mask.astype(np.float32), cv2.INTER_AREA)
        return (out > 0).astype(np.uint8)


def crop(
    shape: Sequence[int], size: int, share: float = CENTRE_SHARE, corner: str = "centre",
    mirror: bool = False, aspect: float = 1.0,
) -> Geometry:  # fmt: skip
    """A crop with a side of `share` times the short side, at the centre or in a corner.

    shape: the frame's (H, W, ...). size: side of the result, pixels. corner: one of CORNERS.
    aspect: width of the box over its height (the jitter of [29] pairs unlike sides).
    """
    height, width = shape[:2]
    short = min(height, width)
    box_height = min(1.0, share * short / height)
    box_width = min(1.0, share * aspect * short / width)
    top, left = (1 - box_height) / 2, (1 - box_width) / 2
    if corner != "centre":
        top = 0.0 if corner.startswith("top") else 1 - box_height
        left = 0.0 if corner.endswith("left") else 1 - box_width
    return Geometry(top, left, box_height, box_width, size, mirror)


VIEWS = ("centre", "whole", *CORNERS[1:])


def read_view(name: str) -> tuple[str, int, bool]:
    """What a view's name says: one of VIEWS, pixels of 256, and whether it is mirrored.

    name: `<one of VIEWS>[@<pixels>][-mirror]`. Raises ConfigError for another name.
    """
    base, scaled, text = name.removesuffix("-mirror").partition("@")
    pixels = int(text) if text.isascii() and text.isdigit() else 0
    known = base in CORNERS or (base == "whole" and not scaled)
    if not known or (scaled and not 0 < pixels <= SHORT_SIDE):
        expected = f"one of {', '.join(VIEWS)}, each also '-mirror'; crops also '@' and 1 to "
        expected += f"{SHORT_SIDE} pixels, for example 'centre@192-mirror'"
        raise ConfigError("view", repr(name), expected)
    return base, pixels or CROP, name.endswith("-mirror")


def view(name: str, shape: Sequence[int], size: int) -> Geometry:
    """A fixed view by name, see `read_view`.

    size: side of the network's input for a plain crop, 224 pixels of a short side of 256.
    `centre@192` cuts 192 of those 256 pixels at the same magnification: its input is smaller.
    """
    base, pixels, mirror = read_view(name)
    if base == "whole":  # squeezed into a square: nothing at the sides is lost
        return Geometry(0.0, 0.0, 1.0, 1.0, size, mirror)
    side = max(1, round(size * pixels / CROP))
    return crop(shape, side, pixels / SHORT_SIDE, base, mirror)


def view_side(name: str, size: int) -> int:
    """Side in pixels of the network's input in a view, where a plain crop's is `size`."""
    return view(name, (size, size), size).size
