"""Rectangles in a picture."""

from typing import Any, NamedTuple

from numpy.typing import NDArray
from PIL import Image


class Box(NamedTuple):
    """A rectangle of pixels; `right` and `bottom` are outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def length(self) -> int:
        """The length of the longer side."""
        return max(self.width, self.height)

    @property
    def area(self) -> int:
        return self.width * self.height

    def cut(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The pixels in the box, without a copy."""
        return pixels[self.top : self.bottom, self.left : self.right]

    def shift(self, corner: "Box") -> "Box":
        """The box in a picture where its coordinates start at the corner of another box."""
        return Box(*(side + corner[number % 2] for number, side in enumerate(self)))

    def within(self, frame: "Box") -> "Box":
        """The box in a picture of what another box shows."""
        return self.shift(Box(-frame.left, -frame.top, 0, 0))

    def widen(self, by: int, shape: tuple[int, ...]) -> "Box":
        """The box with a margin, within a picture of this shape (height, width)."""
        left, top, right, bottom = self
        return Box(max(0, left - by), max(0, top - by), min(shape[1], right + by), min(shape[0], bottom + by))

    def scale(self, factor: int, size: tuple[int, int]) -> "Box":
        """The box in the picture that was reduced by the factor, within its size (width, height)."""
        left, top, right, bottom = (side * factor for side in self)
        return Box(left, top, min(right, size[0]), min(bottom, size[1]))

    def gaps(self, other: "Box") -> tuple[int, int]:
        """The horizontal and the vertical distance to another box, 0 where they overlap."""
        return (
            max(other.left - self.right, self.left - other.right, 0),
            max(other.top - self.bottom, self.top - other.bottom, 0),
        )

    def join(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(*map(min, self[:2], other[:2]), *map(max, self[2:], other[2:]))

    def overlap(self, other: "Box") -> float:
        """The area of the intersection divided by the area of the union."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        common = max(width, 0) * max(height, 0)
        return common / (self.area + other.area - common)


def box_of(pixels: NDArray[Any]) -> Box | None:
    """The smallest box with all pixels that are not 0; None if there are none."""
    box = Image.fromarray(pixels).getbbox()  # in half of numpy's time
    return box and Box(*box)
