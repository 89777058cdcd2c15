"""The report of a retraining, as text and as one HTML file with embedded pictures."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.predictor import Predictor
from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.measure import Answers, answers, confusion
from training.retrain.judge import Comparison, Verdict
from training.retrain.labelled import Labelled
from training.retrain.screen import Screened

MOST_PICTURES = 60
STYLE = (
    "body{font:15px system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.25rem .7rem;text-align:left}"
    "tr+tr{border-top:1px solid #ddd}figure{display:inline-block;margin:.4rem;width:112px;font-size:12px}"
    "img{width:112px;image-rendering:pixelated;border:1px solid #ddd}.no{color:#b00020;font-weight:600}"
)


@dataclass
class Report:
    """Champion and challenger, their training and test drawings, and the verdict."""

    version: str
    champion: AnyPredictor
    challenger: Predictor
    labelled: Labelled
    test_labels: Labelled
    screened: Screened
    verdict: Verdict
    changes: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """All comparisons, one per line, and the decision."""
        width = max(len(line.name) for line in self.verdict.comparisons)
        lines = [
            f"{len(self.labelled)} labelled drawings: {len(self.screened.accepted)} for training, "
            f"{len(self.test_labels)} for evaluation only, {len(self.screened.doubts)} left out for manual review",
            self._labels(),
            "",
            f"{'':<{width}}  {self.version:>9}  challenger",
            *(
                f"{line.name:<{width}}  {line.champion:>9.2%}  {line.challenger:>10.2%}  {line.note}"
                f"{'' if line.holds else '  WORSE'}"
                for line in self.verdict.comparisons
            ),
            "",
            self._conclusion(),
        ]
        if self.screened.doubts:
            lines += [
                "",
                "Left out for manual review:",
                *(f"  {id_}  {why}" for id_, why in self.screened.doubts.items()),
            ]
        return "\n".join(lines)

    def write(self, folder: Path, changes: dict[str, Any]) -> None:
        """Write report.txt and report.html; `changes`: differences to the labels of the previous run."""
        self.changes = changes
        (folder / "report.txt").write_text(self.text() + "\n", encoding="utf-8")
        (folder / "report.html").write_text(self._html(), encoding="utf-8")

    def _labels(self) -> str:
        if not self.changes:
            return ""
        changed = ", ".join(
            f"{id_}: {was} is now {now}" for id_, (was, now) in self.changes["changed"].items()
        )
        return (
            f"labels since the last run: {len(self.changes['new'])} new, {len(self.changes['gone'])} removed, "
            f"{len(self.changes['changed'])} changed{': ' * bool(changed)}{changed}"
        )

    def _conclusion(self) -> str:
        if self.verdict.wins:
            return "The challenger is better on labelled drawings and not worse in any other comparison."
        worse = [line.name for line in self.verdict.comparisons if not line.holds]
        reasons = [] if self.verdict.better else ["it is not significantly better on labelled drawings"]
        reasons += [f"it is worse at: {'; '.join(worse)}"] if worse else []
        return f"The challenger does not replace {self.version}: {', and '.join(reasons)}."

    def _html(self) -> str:
        images, labels = self.test_labels.digits.images, self.test_labels.digits.labels
        ours, theirs = answers(self.champion, images), answers(self.challenger, images)
        differ = np.flatnonzero(ours.digits != theirs.digits)
        doubted = [place for place, id_ in enumerate(self.labelled.ids) if id_ in self.screened.doubts]
        return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Retraining</title><style>{
            STYLE
        }</style>
<h1>Retraining from {escape(self.version)}</h1>
<p>{escape(self._conclusion())}</p>
<p>{len(self.labelled)} labelled drawings: {len(self.screened.accepted)} for training, {
            len(self.test_labels)
        } for evaluation only,
{len(self.screened.doubts)} left out. {escape(self._labels())}</p>
<h2>Comparison</h2>
{_comparison(self.version, self.verdict.comparisons)}
<h2>Confusion matrices of the labelled drawings</h2>
{_confusion(self.version, ours, labels)}{_confusion("challenger", theirs, labels)}
<h2>Drawings with different predictions</h2>
{
            _figures(
                images[differ],
                [
                    f"label {labels[place]}: champion {ours.digits[place]}, challenger {theirs.digits[place]}"
                    for place in differ
                ],
            )
        }
<h2>Left out for manual review</h2>
{
            _figures(
                self.labelled.digits.images[doubted],
                [
                    f"{self.labelled.ids[place]}: {self.screened.doubts[self.labelled.ids[place]]}"
                    for place in doubted
                ],
            )
        }
</html>
"""


def _comparison(version: str, lines: Sequence[Comparison]) -> str:
    rows = "".join(
        f"<tr><td>{escape(line.name)}<td>{line.champion:.2%}<td>{line.challenger:.2%}<td>{escape(line.note)}"
        f"<td>{'' if line.holds else '<span class=no>worse</span>'}"
        for line in lines
    )
    return f"<table><tr><th><th>{escape(version)}<th>challenger<th><th>{rows}</table>"


def _confusion(name: str, answered: Answers, labels: NDArray[np.int64]) -> str:
    rows = "".join(
        f"<tr><th>{digit}" + "".join(f"<td>{count or ''}" for count in counts)
        for digit, counts in enumerate(confusion(answered.digits, labels))
    )
    head = "".join(f"<th>{digit}" for digit in range(10))
    return f"<h3>{escape(name)}</h3><table><tr><th>label{head}{rows}</table>"


def _figures(images: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> str:
    shown = list(zip(images, captions, strict=True))[:MOST_PICTURES]
    return (
        "".join(
            f'<figure><img alt="" src="data:image/png;base64,{_png(image)}"><figcaption>{escape(caption)}</figcaption>'
            "</figure>"
            for image, caption in shown
        )
        or "<p>None.</p>"
    )


def _png(image: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")
