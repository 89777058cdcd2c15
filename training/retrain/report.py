"""The report of a retraining, as text and as one HTML file with embedded pictures (report.html is its template)."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from jinja2 import Environment, FileSystemLoader
from numpy.typing import NDArray
from PIL import Image

from handler.predictor import Predictor
from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.measure import answers, confusion, percent
from training.retrain.judge import Verdict
from training.retrain.labelled import Labelled
from training.retrain.screen import Screened

MOST_PICTURES = 60


class Changes(TypedDict):
    """Differences to the labels of the previous run: ids, and old and new label by id."""

    new: list[str]
    gone: list[str]
    changed: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Report:
    """Champion and challenger, their training and test drawings, the verdict, and the changed labels."""

    version: str
    champion: AnyPredictor
    challenger: Predictor
    labelled: Labelled
    test_labels: Labelled
    screened: Screened
    verdict: Verdict
    changes: Changes

    def text(self) -> str:
        """All comparisons, one per line, and the decision."""
        width = max(len(line.name) for line in self.verdict.comparisons)
        comparisons = [
            f"{line.name:<{width}}  {line.champion:>9.2%}  {line.challenger:>10.2%}  {line.note}"
            f"{'' if line.holds else '  WORSE'}"
            for line in self.verdict.comparisons
        ]
        doubts = [f"  {id_}  {why}" for id_, why in self.screened.doubts.items()]
        head = [self.counts(), self.label_changes(), "", f"{'':<{width}}  {self.version:>9}  challenger"]
        tail = ["", "Left out for manual review:", *doubts] if doubts else []
        return "\n".join([*head, *comparisons, "", self.conclusion(), *tail])

    def write(self, folder: Path) -> None:
        """Write report.txt and report.html."""
        (folder / "report.txt").write_text(self.text() + "\n", encoding="utf-8")
        (folder / "report.html").write_text(self._html(), encoding="utf-8")

    def counts(self) -> str:
        """The numbers of drawings for training, evaluation and review."""
        return (
            f"{len(self.labelled)} labelled drawings: {len(self.screened.accepted)} for training, "
            f"{len(self.test_labels)} for evaluation only, {len(self.screened.doubts)} left out for manual review"
        )

    def label_changes(self) -> str:
        """The differences to the labels of the previous run."""
        changed = ", ".join(
            f"{id_}: {was} is now {now}" for id_, (was, now) in self.changes["changed"].items()
        )
        return (
            f"labels since the last run: {len(self.changes['new'])} new, {len(self.changes['gone'])} removed, "
            f"{len(self.changes['changed'])} changed{': ' * bool(changed)}{changed}"
        )

    def conclusion(self) -> str:
        """The decision with its reasons."""
        if self.verdict.wins:
            return "The challenger is better on labelled drawings and not worse in any other comparison."
        worse = [line.name for line in self.verdict.comparisons if not line.holds]
        reasons = [] if self.verdict.better else ["it is not significantly better on labelled drawings"]
        reasons += [f"it is worse at: {'; '.join(worse)}"] if worse else []
        return f"The challenger does not replace {self.version}: {', and '.join(reasons)}."

    def _html(self) -> str:
        images, labels = self.test_labels.digits.images, self.test_labels.digits.labels
        old, new = (answers(model, images).digits for model in (self.champion, self.challenger))
        pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
        pages.filters |= {"percent": percent, "png": encode_png}
        return pages.get_template("report.html").render(
            report=self,
            most_pictures=MOST_PICTURES,
            confusions={
                self.version: confusion(old, labels).tolist(),
                "challenger": confusion(new, labels).tolist(),
            },
            different=[
                (images[n], f"label {labels[n]}: champion {old[n]}, challenger {new[n]}")
                for n in np.flatnonzero(old != new)
            ],
            doubted=[
                (image, f"{id_}: {self.screened.doubts[id_]}")
                for id_, image in zip(self.labelled.ids, self.labelled.digits.images, strict=True)
                if id_ in self.screened.doubts
            ],
        )


def encode_png(image: NDArray[np.uint8]) -> str:
    """Base64 of a PNG of a prepared image, (28, 28), with black ink."""
    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
