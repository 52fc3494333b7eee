"""A page of pixels: pictures, bars, lines and words, drawn within milliseconds.

A figure of matplotlib takes a good part of a second; a slider that is dragged leaves a tenth. So
the explorer draws with OpenCV and Pillow, in the letters and colours of the other figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rstan_lite.show.style import BLACK, STYLE

_FRACTION = 4  # bits of a pixel that lines are placed by
GREY, PALE = "#595959", "#ececec"  # words beside the main ones; grounds


def fitted(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Scale a picture (H, W, 3) to the largest size of its proportions inside a box."""
    rows, columns = picture.shape[:2]
    scale = min(width / columns, height / rows)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), dtype=np.uint8)


class Canvas:
    """A white page, width x height pixels; positions count from its top left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.pixels = np.full((height, width, 3), 255, np.uint8)
        self._words: list[tuple[float, float, str, int, str, bool, str]] = []

    def picture(
        self, picture: NDArray[np.uint8], left: int, top: int, width: int, height: int
    ) -> None:
        """Place a picture that fits into a box in the box's middle."""
        rows, columns = picture.shape[:2]
        self.box(left, top, left + width, top + height, PALE)
        top, left = top + (height - rows) // 2, left + (width - columns) // 2
        self.pixels[top : top + rows, left : left + columns] = picture

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """Fill a box, rounded to whole pixels."""
        l, t, r, b = (round(x) for x in (left, top, right, bottom))  # noqa: E741
        self.pixels[t:b, l:r] = rgb(colour)

    def stripes(self, left: float, top: float, right: float, bottom: int, apart: int) -> None:
        """White lines of one pixel over a box, from the bottom up, so many pixels apart."""
        l, t, r = (round(x) for x in (left, top, right))  # noqa: E741
        self.pixels[bottom - apart + 1 : t : -apart, l:r] = 255

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, width: int = 1, dash: int = 0
    ) -> None:
        """Draw a line through points, in dashes of so many pixels; 0 is a whole line."""
        if len(points) < 2:
            return
        at = np.asarray(points, dtype=np.float64)  # (n, 2)
        pieces = [at[None]] if not dash else []
        for start, end in pairwise(at) if dash else ():
            number = max(1, round(float(np.hypot(*(end - start))) / (2 * dash)))
            shares = np.arange(number)[:, None, None] + np.array([[0.0], [0.5]])  # (number, 2, 1)
            pieces.append(start + shares / number * (end - start))
        scaled = np.concatenate(pieces) * 2**_FRACTION  # (pieces, points, 2)
        fixed = np.rint(scaled).astype(np.int32)
        cv2.polylines(self.pixels, list(fixed), False, rgb(colour), width, cv2.LINE_AA, _FRACTION)

    def frame(self, left: int, top: int, width: int, height: int, colour: str, line: int) -> None:
        """Draw the edge of a box, inside it."""
        cv2.rectangle(
            self.pixels,
            (left + line // 2, top + line // 2),
            (left + width - 1 - line // 2, top + height - 1 - line // 2),
            rgb(colour),
            line,
        )

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """Draw a disc."""
        at = tuple(round(c * 2**_FRACTION) for c in (x, y))
        size = round(radius * 2**_FRACTION)
        cv2.circle(self.pixels, at, size, rgb(colour), cv2.FILLED, cv2.LINE_AA, _FRACTION)

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int = 12,
        colour: str = BLACK,
        bold: bool = False,
        anchor: str = "la",
    ) -> None:
        """Write one line. anchor: Pillow's, "la" for left and top, "mm" for the middle, ..."""
        self._words.append((x, y, text, size, colour, bold, anchor))

    def width_of(self, text: str, size: int = 12, bold: bool = False) -> float:
        """How wide a line is in pixels."""
        return _length(text, size, bold)

    def shortened(self, text: str, width: float, size: int = 12, bold: bool = False) -> str:
        """The text, cut with an ellipsis where it is wider than so many pixels."""
        if self.width_of(text, size, bold) <= width:
            return text
        while text and self.width_of(text + "…", size, bold) > width:
            text = text[:-1]
        return text.rstrip() + "…"

    def finish(self) -> NDArray[np.uint8]:
        """Write all words over what was drawn, and return the pixels (height, width, 3)."""
        image = Image.fromarray(self.pixels)
        for x, y, text, size, colour, bold, anchor in self._words:
            letters, left, top = _letters(text, size, bold, anchor)
            image.paste(rgb(colour), (round(x) + left, round(y) + top), letters)
        return np.array(image)


@lru_cache(4096)  # most words of a page are those of the step before
def _letters(text: str, size: int, bold: bool, anchor: str) -> tuple[Image.Image, int, int]:
    """A line as a mask of grey, and its place to the right of and below its anchor."""
    left, top, right, bottom = (
        round(x) for x in _font(size, bold).getbbox(text or " ", anchor=anchor)
    )
    mask = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(mask).text(
        (1 - left, 1 - top), text, fill=255, font=_font(size, bold), anchor=anchor
    )
    return mask, left - 1, top - 1


@lru_cache(4096)
def _length(text: str, size: int, bold: bool) -> float:
    return float(_font(size, bold).getlength(text))


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """The letters of the other figures, in a size in pixels."""
    (family,) = STYLE["font.sans-serif"]
    name = f"{family.replace(' ', '')}{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


@cache
def rgb(colour: str) -> tuple[int, int, int]:
    """A colour by its name or hexadecimal digits as 8-bit red, green and blue."""
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A picture as JPEG of high quality: in a third of the time that a PNG takes."""
    full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444  # else coloured words are blurred
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1])


def webp(pixels: NDArray[np.uint8]) -> bytes:
    """A picture as WebP: a quarter of the JPEG's size, in ten times its time."""
    options = [cv2.IMWRITE_WEBP_QUALITY, 80]
    return bytes(cv2.imencode(".webp", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1])
