"""The ink of a picture that has two levels, paper and ink, as in even light."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handler.contrast import Grey

# Ink differs from paper by at least this, of 255: JPEG noise reaches 10, a soft pencil leaves 30.
MINIMUM_CONTRAST = 20
# Below this share of the ink a pixel is the soft rim of a stroke, or noise.
RIM = 0.2


def ink_of_two_levels(pixels: Grey) -> Grey | None:
    """Ink up to 255 on exactly 0, (h, w); None for blank paper. The edge must show more paper than ink."""
    dark = pixels <= otsu(np.bincount(pixels.ravel(), minlength=256))
    on_edge = float(edge(dark).mean())
    # If the edge shows as much ink as paper, ink is the rarer level of the whole picture.
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
    share = np.where(share > max(RIM, 3 * noise / abs(contrast)), share, 0)
    return (share.clip(0, 1) * 255).round().astype(np.uint8)


def otsu(counts: NDArray[np.int64]) -> int:
    """Otsu's threshold of a histogram: the last value of its lower part.

    N. Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    below, sums = counts.cumsum().astype(float), (counts * np.arange(len(counts))).cumsum().astype(float)
    mean = sums[-1] / below[-1]
    between = (mean * below - sums) ** 2 / np.maximum(below * (below[-1] - below), 1e-9)
    # All thresholds between two peaks are equally good: the middle one of the best.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return int(best[len(best) // 2])


def edge(pixels: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels of a picture in one row, its corners twice."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
