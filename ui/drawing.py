"""The current drawing: one id, a revision for each stroke and label, an answer, perhaps a label.

It becomes a row of the log by its first answer. Once it has a label it is closed: the next stroke starts another.
"""

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ui.model_client import Answer
from ui.record import Record


@dataclass(frozen=True)
class Drawing:
    """`picture` is the PNG or WebP that was answered last; `answer` is None when the canvas shows another one."""

    id: uuid.UUID = field(default_factory=uuid.uuid4)
    created_at: datetime | None = None
    revision: int = 0
    picture: bytes | None = None
    answer: Answer | None = None
    true_label: int | None = None
    labelled_at: datetime | None = None

    @property
    def closed(self) -> bool:
        """A labelled drawing is not changed any more, but for its label."""
        return self.true_label is not None

    def add_answer(self, picture: bytes, answer: Answer) -> "Drawing":
        """The drawing with the answer to a picture. One that a browser sends again is no new revision."""
        return replace(
            self,
            created_at=self.created_at or datetime.now(UTC),
            picture=picture,
            answer=answer,
            revision=self.revision + (picture != self.picture),
        )

    def remove_answer(self) -> "Drawing":
        """The drawing without strokes, or with a picture that cannot be answered now: the next one has the same id."""
        return replace(self, answer=None)

    def update(self, row: Record) -> "Drawing":
        """The drawing with the id, revision and label of its row."""
        return replace(
            self, id=row.id, revision=row.revision, true_label=row.true_label, labelled_at=row.labelled_at
        )

    def record(self, visitor_hash: str) -> Record:
        """What the log keeps of a visitor's drawing. It must have been answered."""
        if self.answer is None or self.picture is None or self.created_at is None:
            raise ValueError("A drawing without an answer has nothing to log.")
        return Record(
            id=self.id,
            created_at=self.created_at,
            prediction=self.answer.digit,
            confidence=self.answer.confidence,
            probabilities=self.answer.probabilities,
            is_digit=self.answer.is_digit,
            digit_score=self.answer.digit_score,
            model_version=self.answer.model_version,
            latency_ms=self.answer.latency_ms,
            true_label=self.true_label,
            labelled_at=self.labelled_at,
            drawing=self.picture,
            revision=self.revision,
            visitor=visitor_hash,
            ink_share=self.answer.ink_share,
        )
