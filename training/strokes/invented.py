"""Random characters of invented scripts, as examples of unknown alphabets.

    figure = of_lines(rng)   # random; each public function is a kind

A character has a few strokes of a few forms on a coarse grid. Most strokes start on an earlier stroke. A character can
resemble a digit by chance; training/strokes/lookalikes.py rejects it.
"""

import numpy as np

from training.strokes.figure import Figure, Points, Stroke, polygon, smooth

GRID = np.array([10.0, 36.0, 64.0, 90.0])


def of_lines(rng: np.random.Generator) -> Figure:
    """Two to four straight or bent lines."""
    return _build(rng, rng.integers(2, 5), "line line line bend bend box")


def of_curves(rng: np.random.Generator) -> Figure:
    """Two to four curves."""
    return _build(rng, rng.integers(2, 5), "spline arc hook wave spline")


def mixed(rng: np.random.Generator) -> Figure:
    """Two to four lines, curves, loops and dots."""
    return _build(rng, rng.integers(2, 5), "line line bend spline arc hook loop wave dot")


def looped(rng: np.random.Generator) -> Figure:
    """A loop with one to three other strokes."""
    return (_form("loop", rng, None), *_build(rng, rng.integers(1, 4), "line loop arc bend spline dot"))


def in_one_stroke(rng: np.random.Generator) -> Figure:
    """One long curve; some of its turns are sharp."""
    count = int(rng.integers(5, 9))
    points = _walk(rng, count, None)
    return (smooth(points, [bool(corner) for corner in rng.random(count) < rng.choice([0.0, 0.3, 0.8])]),)


def flowing(rng: np.random.Generator) -> Figure:
    """One or two curves of arcs with different curvatures."""
    return tuple(_arcs(rng, int(rng.integers(3, 7))) for _ in range(int(rng.integers(1, 3))))


def mirrored(rng: np.random.Generator) -> Figure:
    """A half and its mirror image; in half of the cases a stem between them."""
    half = [
        Stroke(stroke.points * (0.48, 1.0), stroke.corners)
        for stroke in _build(rng, rng.integers(1, 3), "line bend arc spline hook")
    ]
    other = [Stroke(stroke.points * (-1.0, 1.0) + (100.0, 0.0), stroke.corners) for stroke in half]
    stem = [polygon([(50, 6), (50, 94)])] if rng.random() < 0.5 else []
    return (*half, *other, *stem)


def repeated(rng: np.random.Generator) -> Figure:
    """Two or three copies of a form in a row or column, often with a common line."""
    (stroke,) = _build(rng, 1, "line bend arc hook loop spline")
    count = int(rng.integers(2, 4))
    upright = rng.random() < 0.6
    size = np.array([1 / count, 0.9]) if upright else np.array([0.9, 1 / count])
    step = np.array([100 / count, 0.0]) if upright else np.array([0.0, 100 / count])
    copies = [Stroke(stroke.points * size + step * i, stroke.corners) for i in range(count)]
    if rng.random() < 0.6:
        at = float(rng.choice([8, 50, 92]))
        copies.append(polygon([(6, at), (94, at)] if upright else [(at, 6), (at, 94)]))
    return tuple(copies)


def _build(rng: np.random.Generator, count: int | np.integer, forms: str) -> Figure:
    strokes: list[Stroke] = []
    for _ in range(count):
        start = None
        if strokes and rng.random() < 0.65:
            points = strokes[rng.integers(len(strokes))].points
            i = rng.integers(len(points))
            j = min(i + 1, len(points) - 1)
            start = points[i] + (points[j] - points[i]) * rng.choice([0.0, 0.5])
        strokes.append(_form(str(rng.choice(forms.split())), rng, start))
    return tuple(strokes)


def _form(form: str, rng: np.random.Generator, start: Points | None) -> Stroke:
    """One stroke, from `start` or from a random position."""
    if form in {"dot", "loop", "arc"}:
        centre = start if start is not None else rng.choice(GRID, 2)
        return _round(form, rng, centre)
    if form in {"line", "bend", "spline"}:
        count = {"line": 2, "bend": int(rng.integers(3, 5)), "spline": int(rng.integers(3, 6))}[form]
        points = _walk(rng, count, start)
        return smooth(points) if form == "spline" else polygon(points)
    a, b = _walk(rng, 2, start)
    if form == "box":
        return polygon([a, (b[0], a[1]), b, (a[0], b[1]), a])
    across = np.array([a[1] - b[1], b[0] - a[0]]) * rng.choice([-1, 1])
    if form == "hook":
        return smooth([a, (a + b) / 2, b, b + across * 0.3, b + across * 0.36 + (a - b) * 0.25])
    across *= rng.uniform(0.12, 0.3)
    return smooth([a, a + (b - a) * 0.25 + across, (a + b) / 2, a + (b - a) * 0.75 - across, b])


def _round(form: str, rng: np.random.Generator, centre: Points) -> Stroke:
    """A dot, loop or arc; `centre` is its centre or its start."""
    if form == "dot":
        place = centre + rng.choice([-14, 14], 2)
        return smooth([place, place + rng.normal(0, 1, 2)])
    radii = rng.uniform(10, 26, 2) if form == "loop" else rng.uniform(16, 45, 2)
    turn = 2 * np.pi if form == "loop" else rng.uniform(0.5, 1.6) * np.pi
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(0, turn, 9) * rng.choice([-1, 1])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii
    points += centre - (points[0] if form == "arc" or rng.random() < 0.5 else 0)
    if form == "loop":
        points[-1] = points[0]
    return smooth(points)


def _arcs(rng: np.random.Generator, count: int) -> Stroke:
    turns = rng.uniform(-1.2, 1.2, count) * np.pi
    lengths = rng.uniform(20, 60, count)
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(np.repeat(turns / 4, 4))
    # Some turns are sharp.
    headings += np.repeat(np.cumsum(rng.choice([0, 0, 0, 0.7, -0.7], count) * np.pi), 4)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * np.repeat(lengths / 4, 4)[:, None]
    points = np.cumsum(np.vstack([rng.uniform(10, 40, 2), steps]), axis=0)
    return smooth(points)


def _walk(rng: np.random.Generator, count: int, start: Points | None) -> Points:
    """Random grid points, each at a distance of more than 22 from the previous one."""
    points = [rng.choice(GRID, 2) if start is None else start]
    while len(points) < count:
        step = rng.choice(GRID, 2) + rng.normal(0, 4, 2)
        if np.hypot(*(step - points[-1])) > 22:
            points.append(step)
    return np.array(points)
