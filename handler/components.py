"""Connected components of a binary picture, found from its runs.

    parts = connected_components(mask)   # 8-connected
    parts.area, parts.left               # one number for each component
    parts.paint(parts.area > 9)          # the mask of the large components, in the whole picture or in a box

A picture of 300,000 pixels has some thousand runs, and numpy needs 1 ms. OpenCV or scikit-image would make the serving
image larger than 1.3 GB; cc3d 4.1.1 labelled 7 % of 300 random pictures wrong.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from handler.box import Box

Numbers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Components:
    """The components of a mask of `shape`: area and box of each, and component and position of each run."""

    shape: tuple[int, int]
    component: Numbers
    start: Numbers  # where the run starts and ends in the flat picture
    end: Numbers
    area: Numbers
    left: Numbers
    top: Numbers
    right: Numbers
    bottom: Numbers

    def __len__(self) -> int:
        return len(self.area)

    @property
    def width(self) -> Numbers:
        """The width of each box."""
        return self.right - self.left

    @property
    def height(self) -> Numbers:
        """The height of each box."""
        return self.bottom - self.top

    @cached_property
    def _sides(self) -> list[list[int]]:
        return np.stack([self.left, self.top, self.right, self.bottom], axis=1).tolist()

    def box(self, number: int) -> Box:
        """The box of one component."""
        return Box(*self._sides[number])

    def paint(self, chosen: Mask, box: Box | None = None) -> Mask:
        """The mask of the chosen components: bool of `shape`, or of the box's size if all of them lie in the box."""
        return self._paint_runs(chosen[self.component], box or Box(0, 0, self.shape[1], self.shape[0]))

    def inside(self, number: int) -> Mask:
        """The mask of one component within its box."""
        return self._paint_runs(self.component == number, self.box(number))

    def _paint_runs(self, runs: Mask, box: Box) -> Mask:
        row, column = np.divmod(self.start[runs], self.shape[1])
        start = (row - box.top) * box.width + column - box.left
        ends = np.zeros(2 * len(start) + 2, np.int64)
        ends[1:-1:2], ends[2:-1:2], ends[-1] = start, start + self.end[runs] - self.start[runs], box.area
        is_run = np.arange(len(ends) - 1) % 2 == 1  # gaps and runs take turns
        return np.repeat(is_run, ends[1:] - ends[:-1]).reshape(box.height, box.width)

    def mean(self, sums: Numbers) -> NDArray[np.float64]:
        """The mean of the values in each component, from the `prefix_sums` of the values."""
        return np.bincount(self.component, sums[self.end] - sums[self.start], minlength=len(self)) / self.area


def prefix_sums(values: NDArray[np.uint8]) -> Numbers:
    """The sum of the values before each position of the flat picture, and of all."""
    sums = np.zeros(values.size + 1, np.int64)
    values.ravel().cumsum(out=sums[1:])
    return sums


def connected_components(mask: Mask) -> Components:
    """The 8-connected components of a mask (height, width)."""
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, bool)  # ends each run at the end of its row
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    start, end = changes[::2].copy(), changes[1::2].copy()
    component, count = _join_runs(start, end, width + 1)
    row = start // (width + 1)
    left, right = start - row * (width + 1), end - row * (width + 1)
    box = [np.full(count, width), np.full(count, height), np.zeros(count, int), np.zeros(count, int)]
    np.minimum.at(box[0], component, left)
    np.minimum.at(box[1], component, row)
    np.maximum.at(box[2], component, right)
    np.maximum.at(box[3], component, row + 1)
    area = np.bincount(component, end - start, minlength=count).astype(np.int64)
    return Components((height, width), component, start - row, end - row, area, *box)


def _join_runs(start: Numbers, end: Numbers, stride: int) -> tuple[Numbers, int]:
    """The component of each run, and the number of components: runs that touch in neighbouring rows belong together."""
    first = np.searchsorted(end, start + stride)
    last = np.searchsorted(start, end + stride, "right")
    neighbours = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(start)), neighbours)
    lower = np.arange(len(upper)) - np.repeat(neighbours.cumsum() - neighbours - first, neighbours)
    root = np.arange(len(start))
    while len(upper):
        one, other = root[upper], root[lower]
        differ = one != other
        upper, lower, one, other = upper[differ], lower[differ], one[differ], other[differ]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (further := root[root]).tobytes() != root.tobytes():
            root = further
    is_root = root == np.arange(len(root))
    return (is_root.cumsum() - 1)[root], int(np.count_nonzero(is_root))


def fill(mask: Mask) -> Mask:
    """Fill the pixels that lie between two pixels of the mask, both in their row and in their column."""
    return _span_rows(mask) & _span_rows(mask.T).T


def _span_rows(mask: Mask) -> Mask:
    """Each row from its first to its last pixel, in a quarter of the time of logical_or.accumulate."""
    columns = np.arange(mask.shape[1])
    first, last = mask.argmax(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1)
    return (columns >= first[:, None]) & (columns < last[:, None]) & mask.any(axis=1)[:, None]
