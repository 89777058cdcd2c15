"""Exclude doubtful labels from training: slips, jokes, drawings of non-digits.

    screened = screen(predictor, network, labelled)
    screened.accepted, screened.doubts      # drawings for training; reasons by id, for manual review

The other labels are evidence too, because the model may not know a writing style: C. Northcutt et al., "Confident
Learning: Estimating Uncertainty in Dataset Labels", 2021, implemented by cleanlab.
"""

from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from handler.model import DIGITS, DigitClassifier
from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.batches import features
from training.evaluate.measure import answers
from training.retrain.labelled import Labelled

FOLDS = 5
# Fewer labels of a digit are too few for cross-validation; then the model decides.
FEWEST = FOLDS
CONFIDENT = 0.95

BLANK = "blank"
NO_DIGIT = "does not look like a digit"


@dataclass(frozen=True)
class Screened:
    """Drawings for training, and the reason for each excluded drawing by its id."""

    accepted: Labelled
    doubts: dict[str, str]


def screen(predictor: AnyPredictor, network: DigitClassifier, labelled: Labelled) -> Screened:
    """Exclude blanks, non-digits, and labels that contradict the other labels or, without those, the model.

    `predictor` gives the predictions, `network` the features for cross-validation.
    """
    if not len(labelled):
        return Screened(labelled, {})
    images, labels = labelled.digits.images, labelled.digits.labels
    answered = answers(predictor, images)
    disagrees = (answered.digits != labels) & (answered.confidences >= CONFIDENT)
    contradicted, validated = _issues(features(network, images), labels)
    doubts: dict[str, str] = {}
    for place, id_ in enumerate(labelled.ids):
        if not images[place].any():
            doubts[id_] = BLANK
        elif not answered.is_digit[place]:
            doubts[id_] = NO_DIGIT
        elif contradicted[place] or (disagrees[place] and not validated[place]):
            answer = f"label {labels[place]}, prediction {answered.digits[place]}"
            doubts[id_] = f"{answer} (confidence {answered.confidences[place]:.0%})"
    return Screened(labelled.take(np.array([id_ not in doubts for id_ in labelled.ids])), doubts)


def _issues(
    vectors: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks (N,): labels that the others contradict, and labels with enough others for cross-validation."""
    counts = np.bincount(labels, minlength=DIGITS)
    validated = counts[labels] >= FEWEST
    issues = np.zeros(len(labels), bool)
    digits = np.flatnonzero(counts >= FEWEST)
    if len(digits) > 1:
        own = np.searchsorted(digits, labels[validated])
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        linear = LogisticRegression(C=0.1, max_iter=500)
        likely = cross_val_predict(linear, vectors[validated], own, cv=folds, method="predict_proba")
        issues[validated] = find_label_issues(own, likely, n_jobs=1)
    return issues, validated
