"""The state of one visitor's page, without its appearance: acts, uploads and labels, and what follows from them.

The order matters: the outbox has an answer or a label before the page shows it.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from ui.acts import Act, FileAct, LabelAct, PictureAct, parse
from ui.drawing import Drawing
from ui.model_client import Answer, Explanation, ModelClient, ModelError, PictureRefusedError
from ui.outbox import Outbox
from ui.outbox_file import OutboxError
from ui.pictures import MOST_BYTES, WHOLE, Box, crop, widen
from ui.record import Record, derive_id
from ui.visitor import hash_visitor, new_visitor

NOT_A_DIGIT = "This does not look like a digit. Draw one digit, large, in the middle."
# By the answer's `reason`; NOT_A_DIGIT for any other.
NO_DIGIT = {
    "blank": "Nothing is drawn here. Draw one digit, or choose a picture of one.",
    "several_digits": "There is more than one digit. Draw or show one digit.",
    "too_small": "The digit is too small. Draw it larger, or take the picture from nearer.",
}
NOT_SAVED = "Drawing not saved, so no answer is shown. Retried every 3 seconds."
LABEL_NOT_SAVED = "Label not saved. Choose the digit again in a moment."
LABEL_WAITS = "Label not saved. Retried every 3 seconds."
LABEL_OF_PREVIOUS = "Label saved for the drawing before."
LABEL_TOO_LATE = "That label was for the drawing before. Choose it in History."
FILE_WAITS = "Another file waits to be read. Choose this one again after that."
# Pictures of one address that are read and stored. 30 people who draw a stroke every three seconds stay below it. A
# large picture counts several times, so an address fills at most 9 GB of disk a day.
ANSWERS_A_MINUTE = 600
ANSWERS_AT_ONCE = 3_000
BYTES_OF_ONE_ANSWER = 10_000
TOO_MANY = (
    f"Too many drawings from your address: {ANSWERS_A_MINUTE} strokes a minute are saved. "
    "This one is read when there is room."
)
TOO_LARGE = f"This drawing has too many details to be saved: more than {MOST_BYTES // 1000} kB. Clear it."
DATABASE_UNAVAILABLE = "Database unavailable: your drawings are saved here and sent when it is back."
# With the database available a record waits 0.1 s.
LATE_AFTER_S = 3.0
# Margin of a box, as a share of its longer side. The model reads 90 % of tight boxes, and all of 160 with this margin.
MARGIN = 0.15
RETRY_PAUSE_S = 1.0

log = logging.getLogger(__name__)


@dataclass
class Session:
    """One visitor's page."""

    model: ModelClient
    outbox: Outbox
    visitor: str = field(default_factory=new_visitor)
    # Whether the rate limit of the visitor's address allows so many more answers.
    may_store: Callable[[int], bool] = lambda answers: True
    # The row of a drawing in the database; None also while the database is unavailable.
    find_row: Callable[[UUID], Record | None] = lambda drawing_id: None
    id: str = field(default_factory=lambda: uuid4().hex)  # a restarted server has another
    drawing: Drawing = field(default_factory=Drawing)
    notice: str = ""
    done: int = 0  # number of the last act that was carried out
    file: FileAct | None = None  # the shown picture, if it is an upload
    _shown: UUID | None = None  # the browser's id of `drawing`
    _waiting: list[Act] = field(default_factory=list)
    _tried_at: float = 0.0
    _explained: tuple[bytes, Explanation | ModelError] | None = None

    def take(self, sent: Any) -> bool:
        """Carry out the acts that a browser sent; returns whether any of them was new.

        A message holds every unconfirmed act and the newest picture of the current drawing, from which a restarted
        server continues. After a temporary failure, an act and all later acts wait. A waiting upload keeps its place
        among them.
        """
        try:
            acts = [act for act in parse(sent) if act.number > self.done]
        except ValueError as error:
            log.warning("a message of a browser was dropped: %s", error)
            return False
        waiting = sorted([*acts, *self._waiting_files()], key=lambda act: act.number)
        if not acts or waiting == self._waiting:
            return False
        self._waiting = waiting
        self.retry()
        return True

    @property
    def shown(self) -> str:
        """The browser's id of the drawing that the answer belongs to; "" before the first answer."""
        return self._shown.hex if self._shown else ""

    def read_upload(self, picture: bytes) -> None:
        """Read an uploaded picture, after the acts before it. Only one upload waits at a time."""
        if self._waiting_files():
            self.notice = FILE_WAITS
            return
        last = self._waiting[-1].number if self._waiting else self.done
        self._waiting.append(FileAct(last, uuid4(), 1, picture, picture))
        self.retry()

    def read_box(self, box: Box) -> None:
        """Read a box of the uploaded picture instead of the box that the model found."""
        if self.file is None or self._waiting:
            return
        part = widen(box, MARGIN)
        picture, revision = crop(self.file.original, part), self.drawing.revision + 1
        self._waiting.append(
            replace(self.file, number=self.done, revision=revision, picture=picture, part=part)
        )
        self.retry()

    @property
    def box(self) -> Box | None:
        """The digit's box in the uploaded picture, or the whole picture. None without an answer."""
        answer = self.drawing.answer
        if self.file is None or answer is None or answer.reason == "blank":
            return None
        (x0, y0, x1, y1), (left, top, right, bottom) = answer.box or WHOLE, self.file.part
        width, height = right - left, bottom - top
        return left + x0 * width, top + y0 * height, left + x1 * width, top + y1 * height

    @property
    def owner(self) -> str:
        """The hash of the visitor's id, which is stored with the drawings."""
        return hash_visitor(self.visitor)

    def drawing_ids(self) -> list[UUID]:
        """The drawings of this browser session, also from before a reload. Raises OutboxError."""
        return self.outbox.drawing_ids(self.owner)

    @property
    def can_retry(self) -> bool:
        """Whether an act waits because it failed."""
        return bool(self._waiting)

    @property
    def is_database_late(self) -> bool:
        """Whether a record has waited in the outbox for longer than LATE_AFTER_S."""
        try:
            return self.outbox.waiting_seconds() > LATE_AFTER_S
        except OutboxError:
            return False  # NOT_SAVED reports this at the next answer

    def retry(self) -> None:
        """Carry out the waiting acts in their order, until one fails."""
        while self._waiting and self._carry_out(self._waiting[0]):
            self.done = self._waiting.pop(0).number
        self._tried_at = time.monotonic()

    def retry_after_pause(self) -> None:
        """Retry, unless the last attempt was less than RETRY_PAUSE_S ago."""
        if time.monotonic() - self._tried_at >= RETRY_PAUSE_S:
            self.retry()

    def label(self, digit: int, at: datetime | None = None) -> bool:
        """Label the current drawing, which closes it. The newest label counts. False if it has to be retried."""
        self.load_label()
        if self.drawing.answer is None or self.drawing.row is None:
            return True
        try:
            row = self.outbox.put(self.drawing.row.add_label(digit, at))
        except OutboxError:
            self.notice = LABEL_WAITS
            return False
        self.drawing, self.notice = self.drawing.update(row), ""
        return True

    def load_label(self) -> None:
        """Apply a label that the visitor or an operator gave the current drawing in History."""
        row = self.outbox.find_labelled(self.drawing.id)
        if row is not None and row.revision > self.drawing.revision:
            self.drawing = self.drawing.update(row)

    def explain(self) -> Explanation | None:
        """The explanation of the current answer, requested once for each picture; None without an answer.

        Raises ModelError.
        """
        picture = self.drawing.picture
        if picture is None or self.drawing.answer is None:
            return None
        if self._explained is None or self._explained[0] != picture:
            try:
                self._explained = picture, self.model.explain(picture, self.drawing.id)
            except ModelError as error:
                self._explained = picture, error
        explanation = self._explained[1]
        if isinstance(explanation, ModelError):
            raise explanation
        return explanation

    def forget_explanation(self) -> None:
        """Request the explanation again the next time, also after a failure."""
        self._explained = None

    def _waiting_files(self) -> list[FileAct]:
        return [act for act in self._waiting if isinstance(act, FileAct)]

    def _carry_out(self, act: Act) -> bool:
        """Carry out an act; False if it has to be retried."""
        if isinstance(act, LabelAct):
            return self.label(act.digit, act.at) if act.drawing == self._shown else self._label_previous(act)
        drawing, self._shown = self._find_drawing(act), act.drawing
        self.file = act if isinstance(act, FileAct) else None
        if act.picture is not None:
            return self._read(act.picture, drawing)
        self.drawing, self.notice = drawing.remove_answer(), ""
        return True

    def _label_previous(self, act: LabelAct) -> bool:
        """Label a drawing that is not shown any more, after an upload or a restart. False as for `label`."""
        drawing_id = derive_id(act.drawing, self.owner)
        try:
            row = self.outbox.label(
                drawing_id, act.digit, lambda: self.find_row(drawing_id), self.owner, act.at
            )
        except OutboxError:
            self.notice = LABEL_WAITS
            return False
        self.notice = LABEL_OF_PREVIOUS if row else LABEL_TOO_LATE
        return True

    def _find_drawing(self, act: PictureAct) -> Drawing:
        """The drawing of a picture. A new picture of a labelled drawing begins another drawing."""
        self.load_label()
        # The row's id is derived from the browser's id and the owner, so nobody writes another visitor's row.
        drawing_id = derive_id(act.drawing, self.owner)
        drawing = self.drawing if act.drawing == self._shown else self._load(drawing_id)
        while drawing.closed and drawing.picture != act.picture:
            drawing = self._load(derive_id(drawing.id, self.owner))
        # Without a row after a restart, continue from the browser's revision.
        return replace(drawing, revision=max(drawing.revision, act.revision - 1))

    def _load(self, drawing_id: UUID) -> Drawing:
        """The drawing in the outbox or the database, drawn before a restart; else a new one."""
        row = None
        with suppress(OutboxError):  # then the outbox does not take the picture either, and both are retried
            if drawing_id in self.drawing_ids():
                row = next(iter(self.outbox.find([drawing_id])), None) or self.find_row(drawing_id)
        return Drawing().update(row) if row else Drawing(drawing_id)

    def _read(self, picture: bytes, drawing: Drawing) -> bool:
        """Read a picture and store the answer; False if it has to be retried."""
        try:
            answer = self._ask(picture, drawing.id)
            row = self.outbox.put(drawing.make_row(picture, answer, self.owner))
        except (ModelError, OutboxError) as error:
            self.drawing = drawing.remove_answer()
            self.notice = NOT_SAVED if isinstance(error, OutboxError) else str(error)
            return isinstance(error, PictureRefusedError)
        self.drawing = drawing.update(row, answer)
        self.notice = "" if answer.is_digit else NO_DIGIT.get(answer.reason, NOT_A_DIGIT)
        return True

    def _ask(self, picture: bytes, drawing_id: UUID) -> Answer:
        """The model's answer, within the limits of size and rate. Raises ModelError."""
        if len(picture) > MOST_BYTES:
            raise PictureRefusedError(TOO_LARGE)
        if not self.may_store(1 + len(picture) // BYTES_OF_ONE_ANSWER):
            raise ModelError(TOO_MANY)
        return self.model.predict(picture, drawing_id)
