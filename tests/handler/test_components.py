"""Connected components equal those of a flood fill."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from handler.box import Box
from handler.components import connected_components, prefix_sums


def flood_fill(mask: np.ndarray) -> list[np.ndarray]:
    """The masks of the 8-connected components."""
    left, found = {tuple(place) for place in np.argwhere(mask)}, []
    while left:
        part, waiting = np.zeros_like(mask), [left.pop()]
        while waiting:
            row, column = waiting.pop()
            part[row, column] = True
            around = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            left -= around
            waiting += around
        found.append(part)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_components_equal_those_of_a_flood_fill(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 25, 2)) < rng.uniform(0.05, 0.95)
    values = rng.integers(0, 256, mask.shape, dtype=np.uint8)
    parts, expected = connected_components(mask), flood_fill(mask)
    assert len(parts) == len(expected)
    painted = {parts.paint(np.arange(len(parts)) == number).tobytes(): number for number in range(len(parts))}
    for part in expected:
        number = painted[part.tobytes()]
        box = (parts.left[number], parts.top[number], parts.right[number], parts.bottom[number])
        assert box == Image.fromarray(part).getbbox()
        assert parts.area[number] == part.sum()
        assert np.array_equal(parts.inside(number), part[box[1] : box[3], box[0] : box[2]])
        assert parts.mean(prefix_sums(values))[number] == pytest.approx(values[part].mean())


def test_a_spiral_is_one_component():
    image = Image.new("1", (101, 101))
    path = [(50, 50)]
    for number, length in enumerate(range(4, 96, 2)):
        x, y = path[-1]
        right, down = [(1, 0), (0, 1), (-1, 0), (0, -1)][number % 4]
        path.append((x + right * length, y + down * length))
    ImageDraw.Draw(image).line(path, fill=1)
    assert len(connected_components(np.asarray(image))) == 1


def test_paint_returns_the_mask_of_the_chosen_components():
    mask = np.zeros((9, 9), bool)
    mask[1:3, 1:3] = mask[6:9, 5:9] = True
    parts = connected_components(mask)
    large = parts.paint(parts.area > 5)
    assert large.sum() == 12
    assert large[6:, 5:].all()
    assert np.array_equal(parts.paint(parts.area > 5, Box(4, 5, 9, 9)), large[5:, 4:])
