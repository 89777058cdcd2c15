"""How far each pixel of a photo differs from the paper around it, whatever the light.

    dark, light = local_contrast(picture)   # a picture of RGB or L
    dark.strength                           # uint8 (h, w): 255 where all of the paper's light is missing

A closing paints over what is dark and narrower than its window, an opening what is light: the difference to the picture
is the black-hat and the white-hat transform (J. Serra, "Image Analysis and Mathematical Morphology", 1982). They follow
a shadow's edge, but take the brightest point nearby for paper: a rank filter bounds that.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

Grey: TypeAlias = NDArray[np.uint8]

# A stroke is narrower than this share of the picture.
WINDOW = 0.13
# The rank filter looks at a picture in which the window is this wide: strokes of ink are averaged with their paper.
RANK_WINDOW = 3
# The share of the pixels of twice the window that are darker than the paper.
RANK = 0.7
# Where light is missing, less than this of 255 says little about the ink.
DARKEST_PAPER, LIGHTEST_PAPER = 40, 155


@dataclass(frozen=True)
class Contrast:
    """The contrast to the paper of what is darker, or else lighter, than it."""

    strength: Grey
    dark: bool
    paper: Image.Image

    def of(self, closer: Image.Image, box: tuple[float, float, float, float]) -> Grey:
        """The same of a closer look at what lies in the box."""
        return _strength(closer, self.paper.resize(closer.size, Image.Resampling.BILINEAR, box), self.dark)


def local_contrast(picture: Image.Image) -> list[Contrast]:
    """What is darker than its paper, and what is lighter."""
    pixels = np.asarray(picture)
    reach = max(2, round(WINDOW * max(picture.size) / 2))
    found = []
    for dark in (True, False):
        over, under = (np.maximum, np.minimum) if dark else (np.minimum, np.maximum)
        surrounding = extreme(extreme(pixels, reach, over), reach, under)
        ranked = _local_rank(picture, reach, RANK if dark else 1 - RANK)
        paper = Image.fromarray(under(surrounding, np.asarray(ranked)))
        found.append(Contrast(_strength(picture, paper, dark), dark, paper))
    return found


def _strength(picture: Image.Image, paper: Image.Image, dark: bool) -> Grey:
    """Of the colour channels the strongest difference, as a share of the paper's light: ink in a shadow is darker."""
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


def _local_rank(picture: Image.Image, reach: int, rank: float) -> Image.Image:
    """The value that this share of the pixels within `reach` and as far again does not exceed."""
    step = max(1, 2 * reach // RANK_WINDOW)
    small = picture.reduce(step)
    size = 2 * (2 * reach // step) + 1
    pad = size // 2
    around = [(pad, pad), (pad, pad), (0, 0)][: np.asarray(small).ndim]
    padded = Image.fromarray(np.pad(np.asarray(small), around, mode="symmetric"))
    ranks = [
        channel.filter(ImageFilter.RankFilter(size, int(rank * size * size))) for channel in padded.split()
    ]
    ranked = Image.merge(padded.mode, ranks).crop((pad, pad, pad + small.width, pad + small.height))
    return ranked.resize(
        picture.size, Image.Resampling.BILINEAR, (0, 0, picture.width / step, picture.height / step)
    )


def extreme(pixels: NDArray[Any], reach: int, pick: np.ufunc) -> NDArray[Any]:
    """The largest or smallest value within `reach` on each side, along both axes."""
    for axis in (0, 1):
        ends = [(reach, reach) if number == axis else (0, 0) for number in range(pixels.ndim)]
        pixels = np.pad(pixels, ends, mode="edge")
        seen, window = 1, 2 * reach + 1
        while seen < window:  # each pass doubles what a pixel has seen
            step = min(seen, window - seen)
            pixels = pick(
                *((pixels[:-step], pixels[step:]) if axis == 0 else (pixels[:, :-step], pixels[:, step:]))
            )
            seen += step
    return pixels
