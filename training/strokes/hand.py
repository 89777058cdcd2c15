"""A person's hand: the same figure never comes out twice the same.

    paths = write(figure, rng)   # list of (m, 2), pixels on the page's canvas

What varies, each by its own amount a drawing: where the control points lie, the proportions of upper and lower and of
left and right, slant, rotation, width, how well strokes meet and loops close, tremor, and a mouse's straight pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from training.strokes.figure import STEPS, UNIT, Figure, Points, curve

CANVAS = 280  # pixels, as on the page

SPACING = 3.5  # of UNIT: between two points of a path
DOT = 25.0  # of UNIT: what is no larger was meant to be a dot, and is not made larger
SKIP_SHARE = 0.05  # of drawings have a gap where the pen or the finger skipped
SKIPPED = (3.0, 9.0)
LONG = 120.0  # of UNIT: a shorter line with a gap would be an exclamation mark
MOUSE_SHARE = 0.25  # of drawings are made of a few straight pieces
MOUSE_SPACING = (6.0, 18.0)


@dataclass(frozen=True)
class Amounts:
    """How much a hand varies; lengths in parts of UNIT, 100."""

    point: float = 2.7  # standard deviation of a control point
    stroke: float = 2.0  # and of a whole stroke: strokes that should meet do not quite
    end: float = 3.3  # and of how much too long or too short a stroke is
    closing: float = 4.0  # and of where a loop ends instead of where it began
    proportion: float = 0.25  # and of the logarithm of the exponent that shifts the middle
    warp: float = 3.5  # and of the plane's slow waves
    slant: float = 0.3  # and of the shear
    mean_slant: float = 0.1
    rotation: float = 5.5  # and of the rotation in degrees
    most_rotation: float = 12.0
    width: float = 0.25  # and of the logarithm of the width


USUAL = Amounts()


def write(figure: Figure, rng: np.random.Generator, amounts: Amounts = USUAL) -> list[Points]:
    """The figure as this hand draws it: a path (m, 2) in pixels for each stroke, all on the canvas."""
    return place(shape(figure, rng, amounts), rng)


def shape(figure: Figure, rng: np.random.Generator, amounts: Amounts = USUAL) -> list[Points]:
    """The figure as this hand draws it, still in parts of UNIT and not yet anywhere."""
    care = rng.triangular(0.3, 0.8, 2.1) * _room(figure)  # little for who writes neatly
    lines, corners = [], []
    for stroke in figure:
        count = len(stroke.points)
        moved = stroke.points + rng.normal(0, amounts.point * care, (count, 2))
        moved += rng.normal(0, amounts.stroke * care, 2)
        if stroke.closed:
            moved[-1] = moved[0] + rng.normal(0, amounts.closing * care, 2) * (rng.random() < 0.6)
        lines.append(curve(moved, stroke.corners, closed=stroke.closed))
        corners.append([i * STEPS for i in range(1, count - 1) if stroke.corners[i]])
    lines = _bent(lines, rng, amounts)
    if rng.random() < MOUSE_SHARE:
        lines = [
            _angular(line, turns, rng.uniform(*MOUSE_SPACING), rng)
            for line, turns in zip(lines, corners, strict=True)
        ]
    else:
        tremor = min(rng.exponential(0.4), 1.2)
        lines = [_trembling(_even(_ended(line, amounts.end * care, rng)), tremor, rng) for line in lines]
    if rng.random() < SKIP_SHARE:
        lines = _skipped(lines, rng)
    return _turned(lines, rng, amounts)


def rewrite(strokes: Sequence[Points], rng: np.random.Generator, amounts: Amounts) -> list[Points]:
    """A person's strokes, in any unit, as the same hand may draw them another time, in parts of UNIT."""
    low, high = _box(strokes)
    scale = UNIT / max(float((high - low).max()), 1e-9)
    lines = [(stroke - low) * scale + rng.normal(0, amounts.stroke, 2) for stroke in strokes]
    return _turned(_bent(lines, rng, amounts), rng, amounts)


def place(
    lines: Sequence[Points], rng: np.random.Generator, least: float = 0.3, most: float = 0.98
) -> list[Points]:
    """The lines scaled to between `least` and `most` of the canvas, somewhere on it; their shape is kept."""
    low, high = _box(lines)
    extent = float((high - low).max())
    size = CANVAS * rng.triangular(least, (least + 2 * most) / 3, most)
    scale = size / extent if extent > DOT else CANVAS / UNIT
    room = np.maximum(CANVAS - (high - low) * scale, 0)
    corner = room * (0.5 + (rng.beta(2.5, 2.5, 2) - 0.5) * 0.98)
    return [(line - low) * scale + corner for line in lines]


def _room(figure: Figure) -> float:
    """A narrow figure is written more exactly, or it would not be read: half as far off for a bar."""
    low, high = _box([stroke.points for stroke in figure])
    return float(np.clip((high - low).min() / 45, 0.5, 1))


def _box(lines: Sequence[Points]) -> tuple[Points, Points]:
    every = np.concatenate(list(lines))
    return every.min(axis=0), every.max(axis=0)


def _bent(lines: list[Points], rng: np.random.Generator, amounts: Amounts) -> list[Points]:
    """The plane itself bent: what meets goes on meeting."""
    exponents = np.exp(rng.normal(0, amounts.proportion, 2))
    frequency = rng.normal(0, 0.55 / UNIT, (2, 2)) * 2 * np.pi
    phase = rng.uniform(0, 2 * np.pi, 2)
    height = rng.normal(0, amounts.warp, 2)
    bent = []
    for line in lines:
        share = (line / UNIT).clip(0, 1)
        straight = line + UNIT * (share**exponents - share)
        bent.append(straight + height * np.sin(straight @ frequency + phase))
    return bent


def _turned(lines: list[Points], rng: np.random.Generator, amounts: Amounts) -> list[Points]:
    slant = float(np.clip(rng.normal(amounts.mean_slant, amounts.slant), -0.35, 0.6))
    degrees = np.clip(rng.normal(0, amounts.rotation), -amounts.most_rotation, amounts.most_rotation)
    angle = np.radians(degrees)
    wide = float(np.exp(rng.normal(0, amounts.width)).clip(0.5, 1.6))
    shear = np.array([[wide, 0.0], [-slant, 1.0]])
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = shear @ rotation
    return [line @ matrix for line in lines]


def _lengths(line: Points) -> NDArray[np.float64]:
    steps = np.diff(line, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])


def _at(line: Points, lengths: NDArray[np.float64], places: NDArray[np.float64]) -> Points:
    return np.stack([np.interp(places, lengths, line[:, 0]), np.interp(places, lengths, line[:, 1])], axis=1)


def _even(line: Points) -> Points:
    """The line with its points evenly spaced."""
    lengths = _lengths(line)
    count = int(lengths[-1] / SPACING) + 2
    return _at(line, lengths, np.linspace(0, lengths[-1], count)) if len(line) > 1 else line


def _ended(line: Points, amount: float, rng: np.random.Generator) -> Points:
    """Each end a little too early or too late."""
    for _ in range(2):
        line = line[::-1]
        change = rng.normal(0, amount)
        lengths = _lengths(line)
        if lengths[-1] < 12 or len(line) < 3:
            continue
        if change > 0:
            direction = line[-1] - line[-3]
            line = np.concatenate([line, [line[-1] + direction * change / max(np.hypot(*direction), 1e-6)]])
        else:
            kept = lengths[-1] + max(change, -0.15 * lengths[-1])
            line = np.concatenate([line[lengths < kept], _at(line, lengths, np.array([kept]))])
    return line


def _trembling(line: Points, amount: float, rng: np.random.Generator) -> Points:
    along = np.arange(len(line)) * SPACING
    for _ in range(2):
        wavelength = rng.uniform(15, 60)
        height = amount * wavelength / 60 * rng.normal(0, 1, 2).clip(-1.5, 1.5)
        line = line + np.sin(along / wavelength * 2 * np.pi + rng.uniform(0, 6.3))[:, None] * height
    return line


def _skipped(lines: list[Points], rng: np.random.Generator) -> list[Points]:
    """One line in two, with a gap between."""
    chosen = int(rng.integers(len(lines)))
    line = lines[chosen]
    lengths = _lengths(line)
    gap = rng.uniform(*SKIPPED)
    if lengths[-1] < LONG:
        return lines
    begin = rng.uniform(gap, lengths[-1] - 2 * gap)
    ends = _at(line, lengths, np.array([begin, begin + gap]))
    halves = [
        np.vstack([line[lengths < begin], ends[:1]]),
        np.vstack([ends[1:], line[lengths > begin + gap]]),
    ]
    return [*lines[:chosen], *halves, *lines[chosen + 1 :]]


def _angular(line: Points, corners: list[int], spacing: float, rng: np.random.Generator) -> Points:
    """What a fast mouse leaves: few places, the corners among them, and straight lines between."""
    lengths = _lengths(line)
    if lengths[-1] < spacing:
        return line[[0, -1]]
    turns = lengths[[0, *corners, -1]]
    pieces = []
    for begin, end in pairwise(turns):
        count = max(1, round((end - begin) / spacing))
        places = np.linspace(begin, end, count + 1)[:-1]
        places[1:] += rng.uniform(-0.3, 0.3, count - 1) * spacing
        pieces.append(places)
    return _at(line, lengths, np.concatenate([*pieces, lengths[-1:]]))
