"""Random scribbles, hatching, dots, blots and painted canvases."""

import numpy as np

from training.strokes.figure import UNIT, Figure, Points, Stroke, polygon, rotation, smooth


def scribble(rng: np.random.Generator) -> Figure:
    """One long curve through random points."""
    return (smooth(rng.uniform(5, 95, (int(rng.integers(9, 40)), 2))),)


def back_and_forth(rng: np.random.Generator) -> Figure:
    """A dense zigzag."""
    count = int(rng.integers(8, 30))
    along = np.linspace(0, rng.uniform(40, 95), count)
    across = np.where(np.arange(count) % 2, rng.uniform(25, 90), 5.0) + rng.normal(0, 6, count)
    points = _rotate(np.stack([along, across], axis=1), rng)
    return (smooth(points) if rng.random() < 0.5 else polygon(points),)


def coil(rng: np.random.Generator) -> Figure:
    """Overlapping circles, in place or moving; at least three turns, because fewer resemble a zero."""
    turns = rng.uniform(3, 8)
    angles = np.linspace(0, turns * 2 * np.pi, int(turns * 8))
    radii = rng.uniform(18, 45, 2) * np.linspace(1, rng.uniform(0.3, 1), len(angles))[:, None]
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + rng.normal(0, 5, (len(angles), 2))
    return (smooth(points + np.outer(np.linspace(0, 1, len(angles)), rng.uniform(-70, 70, 2)) + 50),)


def tangle(rng: np.random.Generator) -> Figure:
    """Several crossing curves."""
    return tuple(
        smooth(rng.uniform(5, 95, (int(rng.integers(3, 8)), 2))) for _ in range(int(rng.integers(3, 8)))
    )


def hatching(rng: np.random.Generator) -> Figure:
    """Parallel lines; in 40 % of the cases crossed by others."""
    lines = _parallel(rng)
    return (*lines, *_parallel(rng)) if rng.random() < 0.4 else lines


def dots(rng: np.random.Generator) -> Figure:
    """Three to twelve dots."""
    places = rng.uniform(5, 95, (int(rng.integers(3, 13)), 2))
    return tuple(_dot(place, rng) for place in places)


def two_dots(rng: np.random.Generator) -> Figure:
    """Two dots in any direction."""
    angle, distance = rng.uniform(0, np.pi), rng.uniform(20, 60)
    other = np.array([np.cos(angle), np.sin(angle)]) * distance
    return tuple(_dot(50 + place, rng) for place in (other, -other))


def point(rng: np.random.Generator) -> Figure:
    """One dot."""
    return (_dot(np.array([50.0, 50.0]), rng),)


def blot(rng: np.random.Generator) -> Figure:
    """A filled ellipse."""
    angles = rng.uniform(0, 2 * np.pi, 40)
    wide = rng.uniform(12, 22, 2)
    radii = np.sqrt(rng.random((40, 1))) * wide
    return (smooth(np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + 50),)


def full(rng: np.random.Generator) -> Figure:
    """An almost full canvas, painted line by line."""
    count = int(rng.integers(10, 15))
    along = np.repeat(np.linspace(0, UNIT, count), 2)
    across = np.tile([0.0, UNIT, UNIT, 0.0], count)[: 2 * count] + rng.normal(0, 2, 2 * count)
    points = np.stack([along, across], axis=1)
    return (polygon(points if rng.random() < 0.5 else points[:, ::-1]),)


def _dot(place: Points, rng: np.random.Generator) -> Stroke:
    """A dot of one point or, in 30 % of the cases, of two."""
    return smooth([place, place]) if rng.random() < 0.3 else smooth([place])


def _parallel(rng: np.random.Generator) -> Figure:
    count = int(rng.integers(4, 10))
    places = np.linspace(5, 95, count) + rng.normal(0, 2, count)
    starts, ends = rng.normal(8, 4, count), rng.normal(92, 4, count)
    pairs = np.stack([places, starts, places, ends], axis=1).reshape(-1, 2)
    turned = _rotate(pairs, rng).reshape(count, 2, 2)
    return tuple(polygon(line) for line in turned)


def _rotate(points: Points, rng: np.random.Generator) -> Points:
    return (points - 50) @ rotation(rng.uniform(0, np.pi)) + 50
