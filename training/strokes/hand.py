"""Simulated handwriting: random variation of a figure.

    paths = write(figure, rng)   # list of (m, 2), pixels on the page's canvas

Each drawing varies the control points, the proportions, slant, rotation, width, the ends of strokes, the closing of
loops, and tremor. Some drawings consist of straight segments, as from a mouse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.strokes.figure import STEPS, UNIT, Figure, Points, curve, find_box, rotation

CANVAS = 280  # pixels, as on the page

SPACING = 3.5  # in UNIT, between two points of a path
DOT = 25.0  # in UNIT: a drawing up to this size is a dot and is not enlarged
SKIP_SHARE = 0.05  # share of drawings with a gap, where the pen or the finger skipped
SKIPPED = (3.0, 9.0)  # length of the gap in UNIT
LONG = 120.0  # in UNIT: a shorter line gets no gap, because with one it looks like an exclamation mark
MOUSE_SHARE = 0.25  # share of drawings with straight segments
MOUSE_SPACING = (6.0, 18.0)  # length of a segment in UNIT


@dataclass(frozen=True)
class Amounts:
    """Standard deviations of the variation; lengths in UNIT."""

    point: float = 2.7  # position of a control point
    stroke: float = 2.0  # position of a whole stroke; creates gaps at junctions
    end: float = 3.3  # excess length at each end of a stroke
    closing: float = 4.0  # distance of a loop's end from its start
    proportion: float = 0.25  # logarithm of the exponent that shifts the middle
    warp: float = 3.5  # amplitude of slow waves of the plane
    slant: float = 0.3  # shear
    mean_slant: float = 0.1  # mean of the shear, not a deviation
    rotation: float = 5.5  # degrees
    most_rotation: float = 12.0  # limit in degrees, not a deviation
    width: float = 0.25  # logarithm of the width


USUAL = Amounts()


def write(figure: Figure, rng: np.random.Generator, amounts: Amounts = USUAL) -> list[Points]:
    """Vary a figure and place it on the canvas: a path (m, 2) in pixels for each stroke."""
    return place(shape(figure, rng, amounts), rng)


def shape(figure: Figure, rng: np.random.Generator, amounts: Amounts = USUAL) -> list[Points]:
    """Vary a figure: a path (m, 2) in UNIT for each stroke."""
    care = rng.triangular(0.3, 0.8, 2.1) * _precision(figure)  # low: neat writing
    lines, corners = [], []
    for stroke in figure:
        count = len(stroke.points)
        moved = stroke.points + rng.normal(0, amounts.point * care, (count, 2))
        moved += rng.normal(0, amounts.stroke * care, 2)
        if stroke.closed:
            moved[-1] = moved[0] + rng.normal(0, amounts.closing * care, 2) * (rng.random() < 0.6)
        lines.append(curve(moved, stroke.corners, closed=stroke.closed))
        corners.append([i * STEPS for i in range(1, count - 1) if stroke.corners[i]])
    lines = _warp(lines, rng, amounts)
    if rng.random() < MOUSE_SHARE:
        lines = [
            _straighten(line, turns, rng.uniform(*MOUSE_SPACING), rng)
            for line, turns in zip(lines, corners, strict=True)
        ]
    else:
        tremor = min(rng.exponential(0.4), 1.2)
        lines = [
            _add_tremor(_resample(_vary_ends(line, amounts.end * care, rng)), tremor, rng) for line in lines
        ]
    if rng.random() < SKIP_SHARE:
        lines = _add_gap(lines, rng)
    return _transform(lines, rng, amounts)


def rewrite(strokes: Sequence[Points], rng: np.random.Generator, amounts: Amounts) -> list[Points]:
    """Vary pen strokes by a person, (n, 2) each in any unit: paths in UNIT."""
    low, high = find_box(strokes)
    scale = UNIT / max(float((high - low).max()), 1e-9)
    lines = [(stroke - low) * scale + rng.normal(0, amounts.stroke, 2) for stroke in strokes]
    return _transform(_warp(lines, rng, amounts), rng, amounts)


def place(
    lines: Sequence[Points], rng: np.random.Generator, least: float = 0.3, most: float = 0.98
) -> list[Points]:
    """Scale the lines to a share of the canvas from `least` to `most`, at a random position; shape unchanged."""
    low, high = find_box(lines)
    extent = float((high - low).max())
    size = CANVAS * rng.triangular(least, (least + 2 * most) / 3, most)
    scale = size / extent if extent > DOT else CANVAS / UNIT
    room = np.maximum(CANVAS - (high - low) * scale, 0)
    corner = room * (0.5 + (rng.beta(2.5, 2.5, 2) - 0.5) * 0.98)
    return [(line - low) * scale + corner for line in lines]


def _precision(figure: Figure) -> float:
    """Factor on the deviations, 0.5 to 1: narrow figures need more precise strokes to stay readable."""
    low, high = find_box([stroke.points for stroke in figure])
    return float(np.clip((high - low).min() / 45, 0.5, 1))


def _warp(lines: list[Points], rng: np.random.Generator, amounts: Amounts) -> list[Points]:
    """Warp the plane: strokes that meet still meet."""
    exponents = np.exp(rng.normal(0, amounts.proportion, 2))
    frequency = rng.normal(0, 0.55 / UNIT, (2, 2)) * 2 * np.pi
    phase = rng.uniform(0, 2 * np.pi, 2)
    height = rng.normal(0, amounts.warp, 2)
    warped = []
    for line in lines:
        share = (line / UNIT).clip(0, 1)
        straight = line + UNIT * (share**exponents - share)
        warped.append(straight + height * np.sin(straight @ frequency + phase))
    return warped


def _transform(lines: list[Points], rng: np.random.Generator, amounts: Amounts) -> list[Points]:
    slant = float(np.clip(rng.normal(amounts.mean_slant, amounts.slant), -0.35, 0.6))
    degrees = np.clip(rng.normal(0, amounts.rotation), -amounts.most_rotation, amounts.most_rotation)
    wide = float(np.exp(rng.normal(0, amounts.width)).clip(0.5, 1.6))
    matrix = np.array([[wide, 0.0], [-slant, 1.0]]) @ rotation(np.radians(degrees))
    return [line @ matrix for line in lines]


def _arc_lengths(line: Points) -> NDArray[np.float64]:
    steps = np.diff(line, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])


def _interpolate(line: Points, lengths: NDArray[np.float64], places: NDArray[np.float64]) -> Points:
    return np.stack([np.interp(places, lengths, line[:, 0]), np.interp(places, lengths, line[:, 1])], axis=1)


def _resample(line: Points) -> Points:
    """Space the points of a line evenly."""
    lengths = _arc_lengths(line)
    count = int(lengths[-1] / SPACING) + 2
    return _interpolate(line, lengths, np.linspace(0, lengths[-1], count)) if len(line) > 1 else line


def _vary_ends(line: Points, amount: float, rng: np.random.Generator) -> Points:
    """Shorten or extend a line at each end."""
    for _ in range(2):
        line = line[::-1]
        change = rng.normal(0, amount)
        lengths = _arc_lengths(line)
        if lengths[-1] < 12 or len(line) < 3:
            continue
        if change > 0:
            direction = line[-1] - line[-3]
            line = np.concatenate([line, [line[-1] + direction * change / max(np.hypot(*direction), 1e-6)]])
        else:
            end = lengths[-1] + max(change, -0.15 * lengths[-1])
            line = np.concatenate([line[lengths < end], _interpolate(line, lengths, np.array([end]))])
    return line


def _add_tremor(line: Points, amount: float, rng: np.random.Generator) -> Points:
    along = np.arange(len(line)) * SPACING
    for _ in range(2):
        wavelength = rng.uniform(15, 60)
        height = amount * wavelength / 60 * rng.normal(0, 1, 2).clip(-1.5, 1.5)
        line = line + np.sin(along / wavelength * 2 * np.pi + rng.uniform(0, 6.3))[:, None] * height
    return line


def _add_gap(lines: list[Points], rng: np.random.Generator) -> list[Points]:
    """Split one line in two, with a gap."""
    chosen = int(rng.integers(len(lines)))
    line = lines[chosen]
    lengths = _arc_lengths(line)
    gap = rng.uniform(*SKIPPED)
    if lengths[-1] < LONG:
        return lines
    begin = rng.uniform(gap, lengths[-1] - 2 * gap)
    ends = _interpolate(line, lengths, np.array([begin, begin + gap]))
    parts = [
        np.vstack([line[lengths < begin], ends[:1]]),
        np.vstack([ends[1:], line[lengths > begin + gap]]),
    ]
    return [*lines[:chosen], *parts, *lines[chosen + 1 :]]


def _straighten(line: Points, corners: list[int], spacing: float, rng: np.random.Generator) -> Points:
    """Reduce a line to straight segments, as from a fast mouse; corners stay."""
    lengths = _arc_lengths(line)
    if lengths[-1] < spacing:
        return line[[0, -1]]
    turns = lengths[[0, *corners, -1]]
    pieces = []
    for begin, end in pairwise(turns):
        count = max(1, round((end - begin) / spacing))
        places = np.linspace(begin, end, count + 1)[:-1]
        places[1:] += rng.uniform(-0.3, 0.3, count - 1) * spacing
        pieces.append(places)
    return _interpolate(line, lengths, np.concatenate([*pieces, lengths[-1:]]))
