"""Which labels to learn from: a person may have slipped, played, or drawn what is no digit.

    screened = screen(predictor, network, labelled)
    screened.kept, screened.doubts      # drawings to learn from; ids with the reason, for a person to look at

Whether a label fits is asked of the other labels too and not of the model alone, which may simply not know this way of
writing: C. Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021, by cleanlab.
"""

from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from handler.model import DigitClassifier
from handler.predictor import DIGITS
from training.archived import AnyPredictor
from training.batches import features, predicted
from training.labelled import Labelled

FOLDS = 5
# With fewer of a digit nothing can be said of its labels by the others; then the model's word counts.
FEWEST = FOLDS
CONFIDENT = 0.95

BLANK = "blank"
NO_DIGIT = "does not look like a digit"


@dataclass(frozen=True)
class Screened:
    """The drawings whose labels can be learned from, and why those of the others cannot, by their ids."""

    kept: Labelled
    doubts: dict[str, str]


def screen(predictor: AnyPredictor, network: DigitClassifier, labelled: Labelled) -> Screened:
    """Take out blanks, what is no digit, and labels that neither the model nor the other labels bear out.

    The predictor is asked for its answers, the network for the features by which drawings are compared.
    """
    if not len(labelled):
        return Screened(labelled, {})
    images, labels = labelled.digits.images, labelled.digits.labels
    answers = predicted(predictor, images)
    answered = np.array([answer.digit for answer in answers])
    confident = np.array([answer.confidence for answer in answers]) >= CONFIDENT
    disagrees = (answered != labels) & confident
    by_others, judged = _issues(features(network, images), labels)
    doubts: dict[str, str] = {}
    for place, id_ in enumerate(labelled.ids):
        if not images[place].any():
            doubts[id_] = BLANK
        elif not answers[place].is_digit:
            doubts[id_] = NO_DIGIT
        elif by_others[place] or (disagrees[place] and not judged[place]):
            said = f"label {labels[place]}, prediction {answered[place]}"
            doubts[id_] = f"{said} (confidence {answers[place].confidence:.0%})"
    return Screened(labelled.take(np.array([id_ not in doubts for id_ in labelled.ids])), doubts)


def _issues(
    seen: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which labels the others contradict, and of which the others can say anything: (N,) each."""
    counts = np.bincount(labels, minlength=DIGITS)
    judged = counts[labels] >= FEWEST
    issues = np.zeros(len(labels), bool)
    digits = np.flatnonzero(counts >= FEWEST)
    if len(digits) > 1:
        own = np.searchsorted(digits, labels[judged])
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        likely = cross_val_predict(
            LogisticRegression(C=0.1, max_iter=500), seen[judged], own, cv=folds, method="predict_proba"
        )
        issues[judged] = find_label_issues(own, likely, n_jobs=1)
    return issues, judged
