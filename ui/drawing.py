"""The drawing at hand: one id, a revision for each stroke and label, an answer, perhaps a label.

It becomes a row of the log by its first answer. Once it has a label it is closed: the next stroke starts another.
So it does after a picture that came as a file, which is a whole drawing by itself.
"""

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ui.model_client import Answer
from ui.record import Record


@dataclass(frozen=True)
class Drawing:
    """`picture` is the PNG or WebP that was answered; None before the first stroke and after all are undone."""

    id: uuid.UUID = field(default_factory=uuid.uuid4)
    from_file: bool = False
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

    @property
    def takes_strokes(self) -> bool:
        """Whether the next stroke on the canvas belongs to this drawing."""
        return not self.closed and not self.from_file

    def answered(self, picture: bytes, answer: Answer) -> "Drawing":
        """The drawing after a stroke or an undo, with the answer to it."""
        return replace(
            self,
            created_at=self.created_at or datetime.now(UTC),
            picture=picture,
            answer=answer,
            revision=self.revision + 1,
        )

    def labelled(self, digit: int) -> "Drawing":
        """The drawing with what the person says it is; said again, the later one holds."""
        return replace(self, true_label=digit, labelled_at=datetime.now(UTC), revision=self.revision + 1)

    def emptied(self) -> "Drawing":
        """The drawing when its last stroke is undone: nothing to answer, the same id for the next stroke."""
        return replace(self, picture=None, answer=None)

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
