"""Find the ink of a photo, a scan or a noisy picture: paper of any shade under any light.

    layer = ink_of_photo(grey)   # "L" in and out: ink up to 255 on exactly 0, or None for bare paper

The picture is split in two by Otsu's threshold, after the light was evened out if two levels do not explain
the picture well; paper is what its edge shows more of.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Less difference than this, of 255, is no ink: JPEG noise reaches 10, a soft pencil leaves 30.
MINIMUM_CONTRAST = 20
# In MNIST's own size a single faint pixel is a twentieth of a digit and counts.
SMALL_PICTURE = 40
# What is fainter than this share of the ink is the rim of a stroke, or noise.
RIM = 0.2
# A picture is judged at this many pixels a side: strokes survive, the grain of a photo averages out.
JUDGED_SIZE = 256
# Ink that is shorter than this when judged is looked at again, closer.
CLOSER_BELOW = 48
# The share of the variance that two levels explain. Ink on evenly lit paper has 0.9 and more, a plain
# ramp of light 0.75.
TWO_LEVELS = 0.88

# If the edge of a photo shows this much of both levels, one of them is a shadow and not ink.
SHADOW_ON_EDGE = 0.2
# A stroke is narrower than this share of the picture, a shadow is wider.
STROKE_WIDTH = 0.12

Grey: TypeAlias = NDArray[np.uint8]
Real: TypeAlias = NDArray[np.float32]


def ink_of_photo(grey: Image.Image) -> Image.Image | None:
    """The ink of an "L" image as one, perhaps smaller but not distorted; None for a blank."""
    factor = math.ceil(max(grey.size) / JUDGED_SIZE)
    pixels = taken = np.asarray(grey.reduce(factor) if factor > 1 else grey)
    threshold, explained = _otsu(pixels)
    if explained < TWO_LEVELS:
        pixels = _evened(taken)
        threshold, explained = _otsu(pixels)
    dark = pixels <= threshold
    on_edge = float(edge(dark).mean())
    if SHADOW_ON_EDGE < on_edge < 1 - SHADOW_ON_EDGE and _has_grain(taken):
        pixels = _without_shadow(taken)
        threshold, _ = _otsu(pixels)
        dark = pixels <= threshold
        on_edge = float(edge(dark).mean())
    # An edge that shows as much of both says nothing: then ink is the rarer of the two.
    dark_is_ink = (dark.mean() if 0.45 < on_edge < 0.55 else on_edge) < 0.5
    is_ink = dark if dark_is_ink else ~dark
    if not is_ink.any() or is_ink.all():
        return None
    blank_paper = pixels[~is_ink]
    paper = float(np.median(blank_paper))
    noise = 1.4826 * float(np.median(np.abs(blank_paper - np.float32(paper))))
    contrast = float(np.median(pixels[is_ink])) - paper
    if abs(contrast) < max(MINIMUM_CONTRAST, 4 * noise):
        return None
    share = (pixels - np.float32(paper)) / np.float32(contrast)
    faint = max(RIM, 3 * noise / abs(contrast))
    share = np.where(share > faint, share, 0)
    if max(pixels.shape) > SMALL_PICTURE:
        share = _without_specks(share)
    found = Image.fromarray((share.clip(0, 1) * 255).round().astype(np.uint8))
    return _closer(grey, found, factor)


def edge(pixels: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels of a picture, one after the other (the corners twice)."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _otsu(pixels: Grey) -> tuple[int, float]:
    """Otsu's threshold (dark is <=) and the share of the variance that its two levels explain.

    N. Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    counts = np.bincount(pixels.ravel(), minlength=256).astype(float)
    below = counts.cumsum()
    sums = (counts * np.arange(256)).cumsum()
    total, mean = below[-1], sums[-1] / below[-1]
    above = np.maximum(total - below, 1e-9)
    between = (mean * below - sums) ** 2 / (np.maximum(below, 1e-9) * above)
    # Between two peaks every threshold is as good: the middle one of the best.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    variance = (counts * (np.arange(256) - mean) ** 2).sum() / total
    return int(best[len(best) // 2]), float(between.max() / max(float(variance), 1e-9))


def _evened(pixels: Grey) -> Grey:
    """The picture as if lit evenly: divided by a quadratic surface of light fitted to the paper."""
    height, width = pixels.shape
    y, x = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32),
        np.linspace(-1, 1, width, dtype=np.float32),
        indexing="ij",
    )
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = pixels.reshape(-1).astype(np.float32)
    step = max(1, len(values) // 4096)
    some_basis, some_values = basis[::step], values[::step]
    kept = np.ones(len(some_values), bool)
    # Ink is the minority that a fit to all of it fits worst: leave that out and fit again.
    for _ in range(6):
        weights, *_ = np.linalg.lstsq(some_basis[kept], some_values[kept], rcond=None)
        off = np.abs(some_values - some_basis @ weights)
        kept = off <= max(2.5 * float(np.median(off)), 2.0)
    light = np.maximum(basis @ weights, 8)
    level = float(np.median(light))
    even: Real = values * (level / light)
    return even.clip(0, 255).round().astype(np.uint8).reshape(height, width)


def _has_grain(pixels: Grey) -> bool:
    """Whether neighbours differ as a camera makes them: what a program drew is flat."""
    return float(np.median(np.abs(np.diff(edge(pixels).astype(np.int16))))) > 0


def _without_shadow(pixels: Grey) -> Grey:
    """The picture without what is wider than a stroke: light that ends in a hard line, too.

    Closing paints dark strokes over with the paper beside them and leaves the line where a shadow ends;
    opening does so for light strokes (J. Serra, "Image Analysis and Mathematical Morphology", 1982). Known
    limits: a slanting shadow leaves a corner at the picture's edge, pencil and chalk lose to its line.
    """
    window = round(STROKE_WIDTH * max(pixels.shape))
    closed = _extreme(_extreme(pixels, window, np.maximum), window, np.minimum)
    opened = _extreme(_extreme(pixels, window, np.minimum), window, np.maximum)
    # Ink in a shadow is darker and differs less from its paper: its share of the light is the same.
    dark_ink = (pixels * (np.float32(255) / np.maximum(closed, 1))).clip(0, 255).astype(np.uint8)
    light_ink = pixels - opened
    return max(dark_ink, light_ink, key=lambda candidate: _otsu(candidate)[1])


def _extreme(pixels: Grey, window: int, pick: np.ufunc) -> Grey:
    """The largest or smallest value within half a window on each side, along both axes."""
    reach = window // 2
    for _ in range(2):
        padded = np.pad(pixels, ((reach, reach), (0, 0)), mode="edge")
        width = 1
        while width < 2 * reach + 1:  # each pass doubles what a pixel has seen
            step = min(width, 2 * reach + 1 - width)
            padded = pick(padded[:-step], padded[step:])
            width += step
        pixels = padded.T
    return pixels


def _without_specks(share: Real) -> Real:
    """Ink has neighbours: a pixel with fewer than two inked ones around it is dust."""
    inked = np.pad(share > 0, 1).astype(np.uint8)
    rows = inked[:-2] + inked[1:-1] + inked[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return np.where(around > 2, share, 0).astype(np.float32)


def _closer(grey: Image.Image, found: Image.Image, factor: int) -> Image.Image | None:
    """A small digit in a large picture, looked at again without the rest; else what was found."""
    box = found.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    if factor == 1 or longer >= CLOSER_BELOW:
        return found
    margin = longer
    width, height = grey.size
    again = grey.crop(
        (
            max(0, (left - margin) * factor),
            max(0, (top - margin) * factor),
            min(width, (right + margin) * factor),
            min(height, (bottom + margin) * factor),
        )
    )
    return (ink_of_photo(again) if again.size != grey.size else None) or found
