"""What happens on the page, kept apart from how it looks: strokes, uploads, labels, and what each leads to.

Order matters: a thing is written to the outbox before it is shown.
"""

import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from ui.drawing import Drawing
from ui.model_client import Explanation, ModelClient, ModelError, PictureRefused
from ui.outbox import NotKept, Outbox
from ui.pictures import MOST_BYTES
from ui.record import own_id
from ui.visitor import new_visitor, visitor_hash

NOT_A_DIGIT = "This does not look like a digit. Draw one digit, large, in the middle."
NOT_KEPT = "Drawing not saved, so no answer is shown. Retried every 3 seconds."
LABEL_NOT_KEPT = "Label not saved. Choose the digit again in a moment."
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


class TooMany(Exception):  # noqa: N818  as ui.outbox.NotKept
    """The visitor's address has had as many answers stored as it may."""


Stroke = dict[str, Any]  # a path, in the canvas's own terms


@dataclass(frozen=True)
class CanvasStart:
    """What the canvas is told to show; a new one redraws it.

    What the canvas sends carries the `mark` of the start that it grew from. So a picture from before a redraw, still
    on its way, is never taken for what is on the canvas now. It also tells which drawing the strokes belong to: a
    browser that finds a restarted page sends what it shows, and the drawing goes on.
    """

    drawing_id: UUID
    revision: int = 0
    strokes: tuple[Stroke, ...] = ()
    number: int = field(default_factory=lambda: secrets.randbits(31))
    browsers_mark: str = ""  # of a start that a browser has from a restarted page

    @property
    def mark(self) -> str:
        """The drawing's id, its revision, how many strokes it had at the start, and the start's own number."""
        return self.browsers_mark or f"{self.drawing_id}/{self.revision}/{len(self.strokes)}/{self.number}"


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
    canvas_start: CanvasStart = field(init=False)
    theme: str | None = None  # that the strokes are drawn in
    clicks: int = 0  # on what may redraw the canvas
    _new: bool = True
    _gone_on: bool = False
    _strokes: tuple[Stroke, ...] = ()
    _seen: bytes | None = None
    _unread: bytes | None = None
    _said: tuple[UUID, int] | None = None  # the drawing that it is of, and what a person says it is
    _tried_at: float = 0.0
    _explained: tuple[bytes, Explanation | ModelError] | None = None

    def __post_init__(self) -> None:
        self.canvas_start = CanvasStart(self.drawing.id)

    def go_on_from(self, mark: str) -> None:
        """In a new session, take the start that a browser's canvas has already, whose page was restarted.

        So the canvas is not redrawn, and what is drawn on it just then stays. A start with strokes has to be redrawn:
        they are known when the canvas has sent them.
        """
        with contextlib.suppress(ValueError):  # a mark that is not ours
            drawing_id, revision, strokes, number = mark.split("/")
            if self._new and int(strokes) == 0:
                self.drawing = Drawing(self._own(UUID(drawing_id)), revision=int(revision))
                self.canvas_start = CanvasStart(self.drawing.id, self.drawing.revision, (), int(number), mark)
                self._gone_on = True

    def look_at_canvas(self, mark: str | None, strokes: list[Stroke], picture: bytes | None) -> None:
        """Answer what the canvas shows, which grew from the start of that mark.

        The same picture again (a rerun of the page) changes nothing, and neither does one from an earlier start.
        """
        was_new, self._new = self._new, False
        if was_new and strokes and mark and (self._gone_on or mark != self.canvas_start.mark):
            self._go_on_with(mark, tuple(strokes))
        if picture is None or picture == self._seen or mark != self.canvas_start.mark:
            return
        self._seen = picture
        self._strokes = tuple(strokes)
        self._catch_up()
        if mark != self.canvas_start.mark:
            return  # the strokes come again, as another drawing
        if strokes:
            self._read(picture, self._at_hand)
        elif self.drawing.takes_strokes:
            self.drawing, self.notice, self._unread, self._said = self.drawing.emptied(), "", None, None

    def repaint(self, theme: str, ink: str) -> None:
        """Redraw the strokes in the ink of another theme; the canvas by itself would drop them."""
        self.theme = theme
        self._redraw(self._at_hand, tuple({**stroke, "stroke": ink} for stroke in self._strokes))

    def look_at_upload(self, picture: bytes) -> None:
        """Answer a picture that came as a file: a drawing of its own."""
        self._redraw(Drawing())
        self._read(picture, Drawing(from_file=True))

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
        return self._unread is not None

    @property
    def database_is_away(self) -> bool:
        """Whether something in the outbox has been waiting for long."""
        try:
            return self.outbox.waiting_seconds() > LATE_AFTER_S
        except NotKept:
            return False  # a sentence of its own says so, once there is something to keep

    def retry(self) -> None:
        """Read the picture that waits."""
        if self._unread is not None:
            self._read(self._unread, self.drawing)

    def retry_when_due(self) -> None:
        """Read the picture that waits, unless that was tried a moment ago."""
        if time.monotonic() - self._tried_at >= RETRY_PAUSE_S:
            self.retry()

    def refuse_upload(self, reason: str) -> None:
        """Say why a file was not read."""
        self.notice = reason

    def undo(self) -> None:
        """Take the last stroke off the canvas; the canvas then shows the rest, which is answered anew."""
        if self._strokes:
            self._redraw(self._at_hand, self._strokes[:-1])

    def clear(self) -> None:
        """Start anew; what was answered stays in the log."""
        self.drawing, self.notice, self._unread = Drawing(), "", None
        self._redraw(self.drawing)

    def label(self, digit: int) -> None:
        """Keep what the person says the drawing is. It is closed then, and the canvas free for the next."""
        if self.drawing.answer is None:
            # Clicked with a stroke that the model could not read just then: kept as soon as it can.
            self._said = (self.drawing.id, digit) if self.can_retry else None
            return
        self._catch_up()
        was_closed = self.drawing.closed
        labelled = self.drawing.labelled(digit)
        try:
            kept = self.outbox.put(labelled.record(self.owner))
        except NotKept:
            self.notice = LABEL_NOT_KEPT
            return
        self.drawing, self.notice = replace(labelled, id=kept.id), ""
        if not was_closed:  # else the canvas is free already, and somebody may be drawing on it
            self._redraw(Drawing())

    def show_again(self) -> None:
        """Have the canvas show its strokes when a person comes back to it; their answer is still at hand."""
        at_hand = self._at_hand
        self.canvas_start = CanvasStart(at_hand.id, at_hand.revision, self._strokes)
        self._catch_up()

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

    @property
    def _at_hand(self) -> Drawing:
        """The drawing that the strokes on the canvas, and the next one, belong to."""
        return self.drawing if self.drawing.takes_strokes else Drawing(self.canvas_start.drawing_id)

    def _ask_why(self, picture: bytes) -> Explanation | ModelError:
        try:
            return self.model.explain(picture, self.drawing.id)
        except ModelError as error:
            return error

    def _read(self, picture: bytes, drawing: Drawing) -> None:
        if len(picture) > MOST_BYTES:
            self.drawing, self.notice, self._unread = drawing.emptied(), TOO_LARGE, None
            return
        try:
            answered = drawing.answered(picture, self.model.predict(picture, drawing.id))
            answered = self._put(answered, picture)
        except PictureRefused as error:
            self.drawing, self.notice, self._unread = drawing.emptied(), str(error), None
        except ModelError as error:
            self.drawing, self.notice, self._unread = drawing.emptied(), str(error), picture
        except NotKept:
            self.drawing, self.notice, self._unread = drawing.emptied(), NOT_KEPT, picture
        except TooMany:
            self.drawing, self.notice, self._unread = drawing.emptied(), TOO_MANY, picture
        else:
            self.drawing, self.notice, self._unread = answered, "", None
            if answered.answer is not None and not answered.answer.is_digit:
                self.notice = NOT_A_DIGIT
            said, self._said = self._said, None
            if said is not None and said[0] == answered.id:
                self.label(said[1])
        self._tried_at = time.monotonic()

    def _put(self, answered: Drawing, picture: bytes) -> Drawing:
        """Write a drawing to the outbox; the drawing as it is there. Raises NotKept and TooMany."""
        if not self.may_keep(1 + len(picture) // BYTES_OF_ONE_ANSWER):
            raise TooMany
        return replace(answered, id=self.outbox.put(answered.record(self.owner)).id)

    def _own(self, drawing_id: UUID) -> UUID:
        """The id of a drawing that a browser goes on with, if this visitor drew it; else one that is theirs.

        What a browser sends is not believed: whoever knows the id of another's drawing cannot change it.
        """
        with contextlib.suppress(NotKept):
            if self.outbox.owner(drawing_id) == self.owner:
                return drawing_id
        return own_id(drawing_id, self.owner)

    def _catch_up(self) -> None:
        """Take over a label that the drawing at hand was given in History, here or by an operator: it is closed."""
        row = self.outbox.relabelled(self.drawing.id)
        if row is not None and row.revision > self.drawing.revision:
            self.drawing = replace(
                self.drawing, true_label=row.true_label, labelled_at=row.labelled_at, revision=row.revision
            )
            if self.canvas_start.drawing_id == self.drawing.id:
                self._redraw(Drawing(), self._strokes)

    def _go_on_with(self, mark: str, strokes: tuple[Stroke, ...]) -> None:
        """Take up the drawing of a browser whose page was restarted, under its id and a revision that is not older."""
        with contextlib.suppress(ValueError):  # a mark that is not ours
            drawing_id, revision, strokes_then, _ = str(mark).split("/")
            # A revision counts what was answered: at most the start, if it showed anything, and each stroke since.
            answered = int(revision) + (int(strokes_then) > 0) + max(0, len(strokes) - int(strokes_then))
            self.drawing = Drawing(self._own(UUID(drawing_id)), revision=answered)
            if mark != self.canvas_start.mark:
                self._redraw(self.drawing, strokes)

    def _redraw(self, drawing: Drawing, strokes: tuple[Stroke, ...] = ()) -> None:
        """Let the canvas show these strokes of a drawing, which the next stroke belongs to."""
        self.canvas_start = CanvasStart(drawing.id, drawing.revision, strokes)
        self._strokes, self._seen = strokes, None
