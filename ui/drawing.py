"""The current drawing: its id, its row of the database, and the answer on the page.

Its first answer makes it a row. A label closes it: the next stroke starts another drawing.
"""

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ui.model_client import Answer
from ui.record import Record


@dataclass(frozen=True)
class Drawing:
    """`row` is None before the first answer. `answer` is None if the canvas shows a picture without an answer."""

    id: uuid.UUID = field(default_factory=uuid.uuid4)
    revision: int = 0
    row: Record | None = None
    answer: Answer | None = None

    @property
    def picture(self) -> bytes | None:
        """The last PNG or WebP with an answer."""
        return self.row.drawing if self.row else None

    @property
    def true_label(self) -> int | None:
        return self.row.true_label if self.row else None

    @property
    def closed(self) -> bool:
        """Whether the drawing has a label, so that only its label can change."""
        return self.true_label is not None

    def make_row(self, picture: bytes, answer: Answer, visitor: str) -> Record:
        """The row of the drawing with an answer. A picture that the browser sends again is no new revision.

        `visitor` is the hash of the visitor's id.
        """
        return Record(
            id=self.id,
            created_at=self.row.created_at if self.row else datetime.now(UTC),
            prediction=answer.digit,
            confidence=answer.confidence,
            probabilities=answer.probabilities,
            is_digit=answer.is_digit,
            digit_score=answer.digit_score,
            model_version=answer.model_version,
            latency_ms=answer.latency_ms,
            true_label=self.true_label,
            labelled_at=self.row.labelled_at if self.row else None,
            drawing=picture,
            revision=self.revision + (picture != self.picture),
            visitor=visitor,
            ink_share=answer.ink_share,
        )

    def remove_answer(self) -> "Drawing":
        """The drawing after its last stroke was undone, or with a picture that cannot be read now."""
        return replace(self, answer=None)

    def update(self, row: Record, answer: Answer | None = None) -> "Drawing":
        """The drawing with its stored row, and with a new answer if there is one."""
        return replace(self, id=row.id, revision=row.revision, row=row, answer=answer or self.answer)
