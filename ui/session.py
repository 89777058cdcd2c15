"""What happens on the page, kept apart from how it looks: strokes, uploads, labels, and what each leads to.

Order matters: a thing is written to the outbox before it is shown.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from ui.acts import Act, File, Labelled, Shown, read
from ui.drawing import Drawing
from ui.model_client import Answer, Explanation, ModelClient, ModelError, PictureRefused
from ui.outbox import NotKept, Outbox
from ui.pictures import MOST_BYTES, WHOLE, Box, crop, widen
from ui.record import Record, own_id
from ui.visitor import new_visitor, visitor_hash

NOT_A_DIGIT = "This does not look like a digit. Draw one digit, large, in the middle."
# By the answer's reason; every other: NOT_A_DIGIT.
NO_DIGIT = {
    "blank": "Nothing is drawn here. Draw one digit, or choose a picture of one.",
    "several_digits": "There is more than one digit. Draw or show one digit.",
    "too_small": "The digit is too small. Draw it larger, or take the picture from nearer.",
}
NOT_KEPT = "Drawing not saved, so no answer is shown. Retried every 3 seconds."
LABEL_NOT_KEPT = "Label not saved. Choose the digit again in a moment."
LABEL_WAITS = "Label not saved. Retried every 3 seconds."
LABEL_OF_ANOTHER = "Label saved for the drawing before."
LABEL_TOO_LATE = "That label was for the drawing before. Choose it in History."
FILE_WAITS = "Another file waits to be read. Choose this one again after that."
# Pictures of one address that are read and stored: 30 people who draw a stroke every three seconds never meet it. A
# large picture counts as several, so that an address fills at most 9 GB of disk in a day.
ANSWERS_A_MINUTE = 600
ANSWERS_AT_ONCE = 3_000
BYTES_OF_ONE_ANSWER = 10_000
TOO_MANY = (
    f"Too many drawings from your address: {ANSWERS_A_MINUTE} strokes a minute are saved. "
    "This one is read when there is room."
)
TOO_LARGE = f"This drawing has too many details to be saved: more than {MOST_BYTES // 1000} kB. Clear it."
DATABASE_AWAY = "Database unavailable: your drawings are saved here and sent when it is back."
# With the database available a record waits a tenth of a second.
LATE_AFTER_S = 3.0
# Share of its longer side that a box gets as a margin: 90 % of tight boxes are read without, all of 160 with it.
MARGIN = 0.15
# A picture that could not be read is not tried again sooner.
RETRY_PAUSE_S = 1.0

log = logging.getLogger(__name__)


@dataclass
class Session:
    """One visitor's page."""

    model: ModelClient
    outbox: Outbox
    visitor: str = field(default_factory=new_visitor)
    # Whether the visitor's address may have so many more pictures read and stored.
    may_keep: Callable[[int], bool] = lambda answers: True
    # The row of a drawing in the database; None also while that is away.
    find_row: Callable[[UUID], Record | None] = lambda drawing_id: None
    drawing: Drawing = field(default_factory=Drawing)
    notice: str = ""
    done: int = 0  # the number of the last act that was carried out
    file: File | None = None  # what is shown, if that came as a file
    _shown: UUID | None = None  # the id of `drawing` in the browser
    _waiting: list[Act] = field(default_factory=list)
    _tried_at: float = 0.0
    _explained: tuple[bytes, Explanation | ModelError] | None = None

    def take(self, sent: Any) -> bool:
        """Carry out what a browser sent; whether any of it was new.

        A message holds every unconfirmed act and the newest picture of the current drawing. A restarted server
        continues from that picture. An act that cannot be carried out now waits, and so do those after it. A file that
        waits keeps its place among them.
        """
        try:
            acts = [act for act in read(sent) if act.number > self.done]
        except ValueError as error:
            log.warning("what a browser sent was dropped: %s", error)
            return False
        waiting = sorted([*acts, *self._files()], key=lambda act: act.number)
        if not acts or waiting == self._waiting:
            return False
        self._waiting = waiting
        self._go_on()
        return True

    @property
    def shown(self) -> str:
        """The browser's id of the drawing that the answer is of, "" before there is one."""
        return self._shown.hex if self._shown else ""

    def look_at_upload(self, picture: bytes) -> None:
        """Answer a picture that came as a file, after the acts before it. Only one file waits at a time."""
        if self._files():
            return self.refuse_upload(FILE_WAITS)
        last = self._waiting[-1].number if self._waiting else self.done
        self._waiting.append(File(last, uuid4(), 1, picture, picture))
        self._go_on()

    def look_at_place(self, box: Box) -> None:
        """Answer what lies in a box of the file's picture, in place of what was found there before."""
        if self.file is None or self._waiting:
            return
        part = widen(box, MARGIN)
        picture = crop(self.file.original, part)
        revision = self.drawing.revision + 1
        self._waiting.append(
            replace(self.file, number=self.done, revision=revision, picture=picture, part=part)
        )
        self._go_on()

    @property
    def box(self) -> Box | None:
        """The box of the file's picture that was read; all of it if it shows only the digit. None without an answer."""
        answer = self.drawing.answer
        if self.file is None or answer is None or answer.reason == "blank":
            return None
        found = answer.box or WHOLE
        left, top, right, bottom = self.file.part
        across, down = right - left, bottom - top
        return (
            left + found[0] * across,
            top + found[1] * down,
            left + found[2] * across,
            top + found[3] * down,
        )

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

    def label(self, digit: int, at: datetime | None = None) -> bool:
        """Label the drawing, which closes it; the newest label counts. False if it has to be tried again."""
        if self.drawing.answer is None:
            return True
        self.catch_up()
        try:
            kept = self.outbox.put(self.drawing.record(self.owner).add_label(digit, at))
        except NotKept:
            self.notice = LABEL_WAITS
            return False
        self.drawing, self.notice = self.drawing.update(kept), ""
        return True

    def catch_up(self) -> None:
        """Take over a label that the drawing was given in History, here or by an operator: it is closed."""
        row = self.outbox.relabelled(self.drawing.id)
        if row is not None and row.revision > self.drawing.revision:
            self.drawing = self.drawing.update(row)

    def explain(self) -> Explanation | None:
        """Why the drawing was read as it was; None without an answer. Raises ModelError. Asked once a picture."""
        picture = self.drawing.picture
        if picture is None or self.drawing.answer is None:
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
            self.done = self._waiting.pop(0).number
        self._tried_at = time.monotonic()

    def _files(self) -> list[File]:
        return [act for act in self._waiting if isinstance(act, File)]

    def _carry_out(self, act: Act) -> bool:
        if isinstance(act, Labelled):
            return self.label(act.digit, act.at) if act.drawing == self._shown else self._label_another(act)
        drawing, self._shown = self._drawing(act), act.drawing
        self.file = act if isinstance(act, File) else None
        if act.picture is not None:
            return self._read(act.picture, drawing)
        self.drawing, self.notice = drawing.remove_answer(), ""
        return True

    def _label_another(self, act: Labelled) -> bool:
        """Label a drawing that is not shown: a file came between, or the page was restarted. False as for `label`."""
        drawing_id = own_id(act.drawing, self.owner)
        try:
            row = self.outbox.label(
                drawing_id, act.digit, lambda: self.find_row(drawing_id), self.owner, act.at
            )
        except NotKept:
            self.notice = LABEL_WAITS
            return False
        self.notice = LABEL_OF_ANOTHER if row else LABEL_TOO_LATE
        return True

    def _drawing(self, act: Shown) -> Drawing:
        """The drawing that a picture is of. A closed one takes no other picture: that begins another drawing."""
        self.catch_up()
        # The row's id is derived from the browser's id and the owner: nobody writes another visitor's row.
        drawing_id = own_id(act.drawing, self.owner)
        drawing = self.drawing if act.drawing == self._shown else self._stored(drawing_id)
        while drawing.closed and drawing.picture != act.picture:
            drawing = self._stored(own_id(drawing.id, self.owner))
        # Without a row after a restart, continue from the browser's revision.
        return replace(drawing, revision=max(drawing.revision, act.revision - 1))

    def _stored(self, drawing_id: UUID) -> Drawing:
        """A drawing as its row has it, which was drawn before a restart; a new one without a row."""
        row = None
        with suppress(NotKept):  # then the picture is not kept either, and tried again
            if drawing_id in self.drawn():
                row = next(iter(self.outbox.waiting([drawing_id])), None) or self.find_row(drawing_id)
        if row is None:
            return Drawing(drawing_id)
        return Drawing(created_at=row.created_at, picture=row.drawing).update(row)

    def _read(self, picture: bytes, drawing: Drawing) -> bool:
        """Answer a picture; False when that has to be tried again."""
        try:
            answer = self._ask(picture, drawing.id)
            answered = drawing.add_answer(picture, answer)
            kept = self.outbox.put(answered.record(self.owner))
        except (ModelError, NotKept) as error:
            self.drawing = drawing.remove_answer()
            self.notice = NOT_KEPT if isinstance(error, NotKept) else str(error)
            return isinstance(error, PictureRefused)
        self.drawing, self.notice = answered.update(kept), _notice(answer)
        return True

    def _ask(self, picture: bytes, drawing_id: UUID) -> Answer:
        """The model's answer to a picture, within the limits of size and number. Raises ModelError."""
        if len(picture) > MOST_BYTES:
            raise PictureRefused(TOO_LARGE)
        if not self.may_keep(1 + len(picture) // BYTES_OF_ONE_ANSWER):
            raise ModelError(TOO_MANY)
        return self.model.predict(picture, drawing_id)


def _notice(answer: Answer) -> str:
    return "" if answer.is_digit else NO_DIGIT.get(answer.reason, NOT_A_DIGIT)
