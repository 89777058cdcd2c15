"""The contrast of each pixel of a photo to the paper around it, in any light.

    dark, light = local_contrast(picture)   # a picture of RGB or L
    dark.strength                           # uint8 (h, w): 255 where all of the paper's light is missing

A morphological closing removes dark details that are narrower than its window, and an opening removes light ones. The
differences to the picture are the black-hat and white-hat transforms (J. Serra, "Image Analysis and Mathematical
Morphology", 1982). They follow the edge of a shadow, but take the brightest point nearby as the paper. A rank filter
limits that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

Grey: TypeAlias = NDArray[np.uint8]

# A stroke is narrower than this share of the picture.
WINDOW = 0.13
# Pixels of the window in the reduced picture of the rank filter. The reduction averages ink with its paper.
RANK_WINDOW = 3
# The rank of the paper among the pixels in twice the window: 70 % of them are darker.
RANK = 0.7
# Limits of the paper's grey, for dark and for light ink. Beyond them a small difference would be a strong contrast.
DARKEST_PAPER, LIGHTEST_PAPER = 40, 155


@dataclass(frozen=True)
class Contrast:
    """The contrast of dark ink to its paper, or of light ink."""

    strength: Grey
    dark: bool
    paper: Image.Image

    def measure(self, part: Image.Image, box: tuple[float, float, float, float]) -> Grey:
        """The contrast of a part of the picture at another resolution; `box` is the place of the part."""
        return _strength(part, self.paper.resize(part.size, Image.Resampling.BILINEAR, box), self.dark)


def local_contrast(picture: Image.Image) -> list[Contrast]:
    """The contrast of dark ink, and that of light ink."""
    pixels = np.asarray(picture)
    reach = max(2, round(WINDOW * max(picture.size) / 2))
    found = []
    ranks = _local_ranks(picture, reach, (RANK, 1 - RANK))
    for dark, ranked in zip((True, False), ranks, strict=True):
        over, under = (np.maximum, np.minimum) if dark else (np.minimum, np.maximum)
        surrounding = extreme(extreme(pixels, reach, over), reach, under)
        paper = Image.fromarray(under(surrounding, np.asarray(ranked)))
        found.append(Contrast(_strength(picture, paper, dark), dark, paper))
    return found


def _strength(picture: Image.Image, paper: Image.Image, dark: bool) -> Grey:
    """The largest difference of a colour channel, as a share of the paper's light: ink in a shadow is darker."""
    difference = ImageChops.subtract(paper, picture) if dark else ImageChops.subtract(picture, paper)
    channels = difference.split()
    strongest = channels[0]
    for channel in channels[1:]:
        strongest = ImageChops.lighter(strongest, channel)
    light = np.asarray(paper.convert("L")) if dark else 255 - np.asarray(paper.convert("L"))
    share = np.asarray(strongest) * (
        np.float32(255) / np.maximum(light, DARKEST_PAPER if dark else 255 - LIGHTEST_PAPER)
    )
    return np.minimum(share, 255).astype(np.uint8)


def _local_ranks(picture: Image.Image, reach: int, ranks: Sequence[float]) -> list[Image.Image]:
    """The local quantiles `ranks`, 0 to 1, of the pixels within twice the reach."""
    step = max(1, 2 * reach // RANK_WINDOW)
    small = picture.reduce(step)
    size = 2 * (2 * reach // step) + 1
    pad = size // 2
    around = [(pad, pad), (pad, pad), (0, 0)][: np.asarray(small).ndim]
    padded = Image.fromarray(np.pad(np.asarray(small), around, mode="symmetric"))
    inner = (pad, pad, pad + small.width, pad + small.height)
    shown = (0, 0, picture.width / step, picture.height / step)
    found = []
    for rank in ranks:
        rank_filter = ImageFilter.RankFilter(size, int(rank * size * size))
        ranked = Image.merge(padded.mode, [channel.filter(rank_filter) for channel in padded.split()])
        found.append(ranked.crop(inner).resize(picture.size, Image.Resampling.BILINEAR, shown))
    return found


def extreme(pixels: NDArray[Any], reach: int, pick: np.ufunc) -> NDArray[Any]:
    """The largest or smallest value within `reach` on each side, along both axes."""
    for axis in (0, 1):
        first, last = (pixels[:1], pixels[-1:]) if axis == 0 else (pixels[:, :1], pixels[:, -1:])
        # In a third of the time of numpy's pad.
        pixels = np.concatenate([np.repeat(first, reach, axis), pixels, np.repeat(last, reach, axis)], axis)
        covered, window = 1, 2 * reach + 1
        while covered < window:  # each pass doubles the part of the window that a pixel covers
            step = min(covered, window - covered)
            near, far = slice(None, -step), slice(step, None)
            pixels = pick(pixels[near], pixels[far]) if axis == 0 else pick(pixels[:, near], pixels[:, far])
            covered += step
    return pixels
