"""Find a sheet of paper that lies on something: on a desk, or as a window on a screen."""

import math

import numpy as np
from PIL import Image

from handler.box import Box
from handler.components import Mask, connected_components, fill
from handler.contrast import Grey, extreme
from handler.two_levels import edge, otsu

# A sheet has a simple shape, so a picture with this many pixels a side is enough to find it.
SEARCHED_SIZE = 160
# The edge of a photographed sheet is soft: this share of the sheet's side is left out.
MARGIN = 0.03
# Least and greatest share of a sheet in the picture, and its greatest share of the picture's edge.
SMALLEST, LARGEST, ON_EDGE = 0.04, 0.85, 0.35
# The shortest side of a window on a screen, in pixels. A narrower shape is a stroke.
NARROWEST = 24


def sheet_mask(picture: Image.Image) -> Mask | None:
    """The pixels of a light sheet on something darker, without its margin: bool (h, w), or None without a sheet."""
    factor = math.ceil(max(picture.size) / SEARCHED_SIZE)
    grey = np.asarray(picture.convert("L").reduce(factor))
    parts = connected_components(grey > otsu(np.bincount(grey.ravel(), minlength=256)))
    if not len(parts):
        return None
    sheet = parts.paint(np.arange(len(parts)) == parts.area.argmax())
    if not SMALLEST < sheet.mean() < LARGEST or edge(sheet).mean() > ON_EDGE:
        return None
    hull = fill(sheet)
    if hull.mean() > 0.9 or sheet.sum() < 0.72 * hull.sum() or not _has_sharp_edge(grey, hull):
        return None
    margin = max(1, round(MARGIN * math.sqrt(hull.sum())))
    core = Image.fromarray(~extreme(np.pad(~hull, 1, constant_values=True), margin, np.maximum)[1:-1, 1:-1])
    shown = (0, 0, picture.width / factor, picture.height / factor)
    return np.asarray(core.resize(picture.size, Image.Resampling.NEAREST, shown))


def _has_sharp_edge(grey: Grey, sheet: Mask) -> bool:
    """Whether the step at the sheet's edge is half of its contrast to the rest; light fades slowly."""
    rim = sheet & extreme(np.pad(~sheet, 2, constant_values=True), 2, np.maximum)[2:-2, 2:-2]
    around = extreme(sheet, 2, np.maximum) & ~extreme(sheet, 1, np.maximum)
    if not around.any() or sheet.all():
        return False
    step = float(np.median(grey[rim])) - float(np.median(grey[around]))
    return step >= 0.5 * (float(np.median(grey[sheet])) - float(np.median(grey[~sheet])))


def sheet_box(strength: Grey) -> Box | None:
    """The largest upright rectangle in the largest component, such as a window on a screen; None without one."""
    parts = connected_components(strength > 127)
    if not len(parts):
        return None
    largest = int((parts.width * parts.height).argmax())
    part = parts.inside(largest)
    if part.mean() < 0.35 or part.size < SMALLEST * strength.size:
        return None
    hull = fill(part)
    rows, columns = (np.flatnonzero(hull.mean(axis=axis) > 0.75) for axis in (1, 0))
    if min(len(rows), len(columns)) < NARROWEST:
        return None
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    core = box.cut(part)
    if core.size < 0.6 * part.size or edge(core).mean() < 0.9:
        return None
    return box.shift(parts.box(largest))
