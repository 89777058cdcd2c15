"""What happens on the page, kept apart from how it looks: strokes, uploads, labels, and what each leads to.

Order matters: a thing is written to the outbox before it is shown.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from ui.drawing import Drawing
from ui.model_client import Explanation, ModelClient, ModelError
from ui.outbox import NotKept, Outbox

NOT_A_DIGIT = "That does not look like a digit to me. Draw one digit, large, in the middle."
NOT_KEPT = "The drawing cannot be saved just now, so its answer is not shown."
LABEL_NOT_KEPT = "That could not be saved. Press it again in a moment."

# A visitor's History shows the drawings of the session, and of a very long one the newest.
MOST_REMEMBERED = 1000

Stroke = dict[str, Any]  # a path, in the canvas's own terms


@dataclass(frozen=True)
class CanvasStart:
    """What the canvas is told to show; a new one redraws it.

    What the canvas sends carries the `number` of the start that it grew from. So a picture from before a redraw, still
    on its way or sent again by a browser that finds a restarted page, is never taken for what is on the canvas now.
    """

    strokes: tuple[Stroke, ...] = ()
    number: int = field(default_factory=lambda: secrets.randbits(31))


@dataclass
class Session:
    """One visitor's page."""

    model: ModelClient
    outbox: Outbox
    drawing: Drawing = field(default_factory=Drawing)
    notice: str = ""
    canvas_start: CanvasStart = field(default_factory=CanvasStart)
    answered: dict[UUID, None] = field(
        default_factory=dict
    )  # what was drawn in this session, the newest last
    _strokes: tuple[Stroke, ...] = ()
    _seen: bytes | None = None
    _unread: bytes | None = None
    _explained: tuple[bytes, Explanation | ModelError] | None = None

    def look_at_canvas(self, start: int | None, strokes: list[Stroke], picture: bytes | None) -> None:
        """Answer what the canvas shows, which grew from the start of that number.

        The same picture again (a rerun of the page) changes nothing, and neither does one from an earlier start.
        """
        if picture is None or start != self.canvas_start.number or picture == self._seen:
            return
        self._seen = picture
        self._strokes = tuple(strokes)
        self._catch_up()
        if strokes:
            self._read(picture, self.drawing if self.drawing.takes_strokes else Drawing())
        elif self.drawing.takes_strokes:
            self.drawing, self.notice, self._unread = self.drawing.emptied(), "", None

    def look_at_upload(self, picture: bytes) -> None:
        """Answer a picture that came as a file: a drawing of its own."""
        self._redraw(())
        self._read(picture, Drawing(from_file=True))

    @property
    def can_retry(self) -> bool:
        """Whether a picture waits that could not be read or kept."""
        return self._unread is not None

    def retry(self) -> None:
        """Read the picture that waits."""
        if self._unread is not None:
            self._read(self._unread, self.drawing)

    def refuse_upload(self, reason: str) -> None:
        """Say why a file was not read."""
        self.notice = reason

    def undo(self) -> None:
        """Take the last stroke off the canvas; the canvas then shows the rest, which is answered anew."""
        if self._strokes:
            self._redraw(self._strokes[:-1])

    def clear(self) -> None:
        """Start anew; what was answered stays in the log."""
        self._redraw(())
        self.drawing, self.notice, self._unread = Drawing(), "", None

    def label(self, digit: int) -> None:
        """Keep what the person says the drawing is. It is closed then, and the canvas free for the next."""
        if self.drawing.answer is None:
            return
        self._catch_up()
        labelled = self.drawing.labelled(digit)
        try:
            self.outbox.put(labelled.record())
        except NotKept:
            self.notice = LABEL_NOT_KEPT
            return
        self.drawing, self.notice = labelled, ""
        self._redraw(())

    def show_again(self) -> None:
        """Have the canvas show its strokes when a person comes back to it; their answer is still at hand."""
        self.canvas_start = CanvasStart(self._strokes)
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

    def _ask_why(self, picture: bytes) -> Explanation | ModelError:
        try:
            return self.model.explain(picture, self.drawing.id)
        except ModelError as error:
            return error

    def _read(self, picture: bytes, drawing: Drawing) -> None:
        try:
            answered = drawing.answered(picture, self.model.predict(picture, drawing.id))
            self.outbox.put(answered.record())
        except ModelError as error:
            self.drawing, self.notice, self._unread = drawing.emptied(), str(error), picture
        except NotKept:
            self.drawing, self.notice, self._unread = drawing.emptied(), NOT_KEPT, picture
        else:
            self.drawing, self.notice, self._unread = answered, "", None
            self._remember(answered.id)
            if answered.answer is not None and not answered.answer.is_digit:
                self.notice = NOT_A_DIGIT

    def _remember(self, drawing_id: UUID) -> None:
        self.answered[drawing_id] = None
        if len(self.answered) > MOST_REMEMBERED:
            del self.answered[next(iter(self.answered))]

    def _catch_up(self) -> None:
        """Take over a label that the drawing at hand was given in History, here or by an operator: it is closed."""
        row = self.outbox.relabelled(self.drawing.id)
        if row is not None and row.revision > self.drawing.revision:
            self.drawing = replace(
                self.drawing, true_label=row.true_label, labelled_at=row.labelled_at, revision=row.revision
            )

    def _redraw(self, strokes: tuple[Stroke, ...]) -> None:
        self.canvas_start = CanvasStart(strokes)
        self._strokes, self._seen = strokes, None
