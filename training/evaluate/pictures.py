"""Reliability diagrams and pictures of errors, as PNG files."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np

from training.data.mnist import Digits
from training.evaluate.measure import Answers
from training.train.calibration import BINS, calibration_bins

mpl.use("Agg")  # no display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

DPI = 100
MOST_ERRORS = 40
COLUMNS = 10


def draw_reliability(sets: Mapping[str, tuple[Answers, Digits]], path: Path) -> None:
    """Draw accuracy by confidence, above the number of answers, for each set of answers and digits."""
    figure, axes = plt.subplots(
        2, len(sets), figsize=(4.2 * len(sets), 5), layout="constrained", height_ratios=(3, 1), squeeze=False
    )
    edges = np.linspace(0, 1, BINS + 1)
    for (name, (answers, digits)), (above, below) in zip(sets.items(), axes.T, strict=True):
        correct = answers.digits == digits.labels
        bins = calibration_bins(answers.confidences)
        counts = np.bincount(bins, minlength=BINS)
        filled = counts > 0
        confidence = np.bincount(bins, answers.confidences, BINS)[filled] / counts[filled]
        accuracy = np.bincount(bins, correct, BINS)[filled] / counts[filled]
        # Two standard errors of a bin of this size.
        margin = 2 * np.sqrt(confidence * (1 - confidence) / counts[filled])
        above.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        above.errorbar(confidence, accuracy, margin, fmt="o", color="tab:blue", markersize=4, linewidth=1)
        above.set(title=name, ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
        below.bar(edges[:-1], counts, 1 / BINS, align="edge", color="0.6")
        below.set(yscale="log", xlabel="confidence", ylabel="answers", xlim=(0, 1.02))
    _save(figure, path)


def draw_errors(answers: Answers, digits: Digits, title: str, path: Path) -> None:
    """Draw misread images by descending confidence, with label, prediction and confidence."""
    wrong = np.flatnonzero(answers.digits != digits.labels)
    shown = wrong[np.argsort(-answers.confidences[wrong], kind="stable")][:MOST_ERRORS]
    rows = max(1, -(-len(shown) // COLUMNS))
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(8, 1.1 * rows + 0.4), layout="constrained", squeeze=False
    )
    figure.suptitle(f"{title}: {len(shown)} of {len(wrong)} errors", fontsize=10)
    for place in axes.flat:
        place.axis("off")
    for index, place in zip(shown, axes.flat, strict=False):
        place.imshow(digits.images[index], cmap="gray_r")
        caption = f"{digits.labels[index]} as {answers.digits[index]}, {answers.confidences[index]:.0%}"
        place.set_title(caption, fontsize=6, pad=2)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
