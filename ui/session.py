"""What happens on the page, kept apart from how it looks: strokes, uploads, labels, and what each leads to.

Order matters: a thing is written to the outbox before it is shown.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from ui.acts import Act, Labelled, Shown, read
from ui.drawing import Drawing
from ui.model_client import Explanation, ModelClient, ModelError, PictureRefused
from ui.outbox import NotKept, Outbox
from ui.pictures import MOST_BYTES
from ui.record import own_id
from ui.visitor import new_visitor, visitor_hash

NOT_A_DIGIT = "This does not look like a digit. Draw one digit, large, in the middle."
NOT_KEPT = "Drawing not saved, so no answer is shown. Retried every 3 seconds."
LABEL_NOT_KEPT = "Label not saved. Choose the digit again in a moment."
LABEL_WAITS = "Label not saved. Retried every 3 seconds."
LABEL_TOO_LATE = "That label was for the drawing before. Choose it in History."
# What one address may have stored: 30 people who draw a stroke every three seconds never meet it. A large picture
# counts as several, so that an address fills at most 9 GB of disk in a day.
ANSWERS_A_MINUTE = 600
ANSWERS_AT_ONCE = 3_000
BYTES_OF_ONE_ANSWER = 10_000
TOO_MANY = (
    f"Too many drawings from your address: {ANSWERS_A_MINUTE} strokes a minute are saved. "
    "This one is read when there is room."
)
TOO_LARGE = f"This drawing has too many details to be saved: more than {MOST_BYTES // 1000} kB. Clear it."
DATABASE_AWAY = "Database unavailable: your drawings are saved here and sent when it is back."
# With the database at hand a record waits a tenth of a second.
LATE_AFTER_S = 3.0
# A picture that could not be read is not tried again sooner.
RETRY_PAUSE_S = 1.0

log = logging.getLogger(__name__)


class TooMany(Exception):  # noqa: N818  as ui.outbox.NotKept
    """The visitor's address has had as many answers stored as it may."""


@dataclass(frozen=True)
class File:
    """A picture that came as a file, which is a whole drawing by itself."""

    picture: bytes
    drawing: Drawing


@dataclass
class Session:
    """One visitor's page."""

    model: ModelClient
    outbox: Outbox
    visitor: str = field(default_factory=new_visitor)
    may_keep: Callable[[int], bool] = lambda answers: (
        True
    )  # whether the visitor's address may have so many more stored
    drawing: Drawing = field(default_factory=Drawing)
    notice: str = ""
    done: int = 0  # the number of the last act that was carried out
    token: str = field(default_factory=new_visitor)  # tells a browser that the server was restarted
    _on_canvas: UUID | None = None  # the browser's id of the drawing that the canvas showed last
    _waiting: list[Act | File] = field(default_factory=list)
    _tried_at: float = 0.0
    _explained: tuple[bytes, Explanation | ModelError] | None = None

    def take(self, sent: Any) -> bool:
        """Carry out what a browser sent; whether any of it was new.

        A message holds every unconfirmed act and the newest picture of the current drawing. A restarted server
        continues from that picture. An act that cannot be carried out now waits, and so do those after it.
        """
        try:
            acts = [act for act in read(sent) if act.number > self.done]
        except ValueError as error:
            log.warning("what a browser sent was dropped: %s", error)
            return False
        files = [waiting for waiting in self._waiting if isinstance(waiting, File)]
        if not acts or [*files, *acts] == self._waiting:
            return False
        self._waiting = [*files, *acts]
        self._go_on()
        return True

    @property
    def ended(self) -> str:
        """The browser's id of a drawing that accepts no more strokes, labelled or replaced by a file; else ""."""
        return self._on_canvas.hex if self._on_canvas and not self.drawing.takes_strokes else ""

    def look_at_upload(self, picture: bytes) -> None:
        """Answer a picture that came as a file: a drawing of its own."""
        self._waiting.append(File(picture, Drawing(from_file=True)))
        self._go_on()

    @property
    def owner(self) -> str:
        """By which the visitor's drawings are known: the hash of their id."""
        return visitor_hash(self.visitor)

    def drawn(self) -> list[UUID]:
        """What was drawn in this browser session, also before a reload. Raises NotKept."""
        return self.outbox.drawn_by(self.owner)

    @property
    def can_retry(self) -> bool:
        """Whether a picture waits that could not be read or kept."""
        return bool(self._waiting)

    @property
    def database_is_away(self) -> bool:
        """Whether something in the outbox has been waiting for long."""
        try:
            return self.outbox.waiting_seconds() > LATE_AFTER_S
        except NotKept:
            return False  # a sentence of its own says so, once there is something to keep

    def retry(self) -> None:
        """Read the picture that waits."""
        self._go_on()

    def retry_when_due(self) -> None:
        """Read the picture that waits, unless that was tried a moment ago."""
        if time.monotonic() - self._tried_at >= RETRY_PAUSE_S:
            self.retry()

    def refuse_upload(self, reason: str) -> None:
        """Say why a file was not read."""
        self.notice = reason

    def label(self, digit: int) -> bool:
        """Keep what the person says the drawing is; False if it has to be tried again. A labelled drawing is closed."""
        if self.drawing.answer is None:
            return True
        self.catch_up()
        labelled = self.drawing.labelled(digit)
        try:
            kept = self.outbox.put(labelled.record(self.owner))
        except NotKept:
            self.notice = LABEL_WAITS
            return False
        self.drawing, self.notice = replace(labelled, id=kept.id), ""
        return True

    def catch_up(self) -> None:
        """Take over a label that the drawing was given in History, here or by an operator: it is closed."""
        row = self.outbox.relabelled(self.drawing.id)
        if row is not None and row.revision > self.drawing.revision:
            self.drawing = replace(
                self.drawing, true_label=row.true_label, labelled_at=row.labelled_at, revision=row.revision
            )

    def explain(self) -> Explanation | None:
        """Why the drawing was read as it was; None without an answer. Raises ModelError. Asked once a picture."""
        picture = self.drawing.picture
        if picture is None:
            return None
        if self._explained is None or self._explained[0] != picture:
            self._explained = (picture, self._ask_why(picture))
        explanation = self._explained[1]
        if isinstance(explanation, ModelError):
            raise explanation
        return explanation

    def forget_explanation(self) -> None:
        """Ask anew the next time, as after a failure."""
        self._explained = None

    def _ask_why(self, picture: bytes) -> Explanation | ModelError:
        try:
            return self.model.explain(picture, self.drawing.id)
        except ModelError as error:
            return error

    def _go_on(self) -> None:
        """Carry out what waits, until something has to wait longer."""
        while self._waiting and self._carry_out(self._waiting[0]):
            act = self._waiting.pop(0)
            self.done = self.done if isinstance(act, File) else act.number
        self._tried_at = time.monotonic()

    def _carry_out(self, act: Act | File) -> bool:
        if isinstance(act, Labelled):
            if act.drawing is None or (act.drawing == self._on_canvas and not self.drawing.from_file):
                return self.label(act.digit)
            self.notice = LABEL_TOO_LATE  # an upload came between
            return True
        if isinstance(act, File):
            return self._read(act.picture, act.drawing)
        drawing, self._on_canvas = self._drawing(act), act.drawing
        if act.picture is not None:
            return self._read(act.picture, drawing)
        self.drawing, self.notice = drawing.emptied(), ""
        return True

    def _drawing(self, act: Shown) -> Drawing:
        """The drawing that a picture on the canvas is of. A closed one takes no strokes: they begin another."""
        self.catch_up()
        if act.drawing == self._on_canvas and self.drawing.takes_strokes:
            drawing = self.drawing
        else:
            # The row's id is derived from the browser's id and the owner: nobody writes another visitor's row.
            drawing_id = own_id(act.drawing, self.owner)
            while drawing_id == self.drawing.id or self.outbox.relabelled(drawing_id):
                drawing_id = own_id(drawing_id, self.owner)
            drawing = Drawing(drawing_id)
        # After a restart, continue from the browser's revision.
        return replace(drawing, revision=max(drawing.revision, act.revision - 1))

    def _read(self, picture: bytes, drawing: Drawing) -> bool:
        """Answer a picture; False when that has to be tried again."""
        try:
            if len(picture) > MOST_BYTES:
                raise PictureRefused(TOO_LARGE)
            answer = self.model.predict(picture, drawing.id)
            answered = self._put(drawing.answered(picture, answer), picture)
        except (ModelError, NotKept, TooMany) as error:
            self.drawing = drawing.emptied()
            self.notice = NOT_KEPT if isinstance(error, NotKept) else str(error)
            return isinstance(error, PictureRefused)
        self.drawing, self.notice = answered, "" if answer.is_digit else NOT_A_DIGIT
        return True

    def _put(self, answered: Drawing, picture: bytes) -> Drawing:
        """Write a drawing to the outbox; the drawing as it is there. Raises NotKept and TooMany."""
        if not self.may_keep(1 + len(picture) // BYTES_OF_ONE_ANSWER):
            raise TooMany(TOO_MANY)
        return replace(answered, id=self.outbox.put(answered.record(self.owner)).id)
