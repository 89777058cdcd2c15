"""What happens on the page, kept apart from how it looks: strokes, uploads, labels, and what each leads to.

Order matters: a thing is written to the outbox before it is shown.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from ui.drawing import Drawing
from ui.model_client import Explanation, ModelClient, ModelError
from ui.outbox import Outbox

NOT_A_DIGIT = "That does not look like a digit to me. Draw one digit, large, in the middle."
NOT_KEPT = "Your drawing cannot be written down right now, so it is not shown as read. Try again in a moment."
LABEL_NOT_KEPT = "That could not be written down right now. Press it again in a moment."

Canvas = dict[str, Any]  # the canvas's own JSON: {"objects": [a stroke each], ...}


@dataclass
class Session:
    """One visitor's page. `canvas_start` is what the canvas is told to show; a new value redraws it."""

    model: ModelClient
    outbox: Outbox
    drawing: Drawing = field(default_factory=Drawing)
    notice: str = ""
    canvas_start: Canvas = field(default_factory=lambda: {"objects": []})
    _strokes: list[Any] = field(default_factory=list)
    _seen: bytes | None = None
    _unread: bytes | None = None
    _resets: int = 0

    def look_at_canvas(self, strokes: list[Any], picture: bytes | None) -> None:
        """Answer what the canvas shows; the same picture again (a rerun of the page) changes nothing."""
        if picture is None or picture == self._seen:
            return
        self._seen = picture
        self._strokes = strokes
        if strokes:
            self._read(picture)
        elif not self.drawing.closed:
            self.drawing, self.notice, self._unread = self.drawing.emptied(), "", None

    def look_at_upload(self, picture: bytes) -> None:
        """Answer a picture that came as a file: a drawing of its own."""
        self._reset_canvas()
        self.drawing = Drawing()
        self._read(picture)

    @property
    def can_retry(self) -> bool:
        """Whether a picture waits that could not be read or kept."""
        return self._unread is not None

    def retry(self) -> None:
        """Read the picture that waits."""
        if self._unread is not None:
            self._read(self._unread)

    def refuse_upload(self, reason: str) -> None:
        """Say why a file was not read."""
        self.notice = reason

    def undo(self) -> None:
        """Take the last stroke off the canvas; the canvas then shows the rest, which is answered anew."""
        if self._strokes:
            self._redraw(self._strokes[:-1])

    def clear(self) -> None:
        """Start anew; what was answered stays in the log."""
        self._reset_canvas()
        self.drawing, self.notice, self._unread = Drawing(), "", None

    def label(self, digit: int) -> None:
        """Keep what the person says the drawing is. It is closed then, and the canvas free for the next."""
        if self.drawing.answer is None:
            return
        labelled = self.drawing.labelled(digit)
        try:
            self.outbox.put(labelled.record())
        except sqlite3.Error:
            self.notice = LABEL_NOT_KEPT
            return
        self.drawing, self.notice = labelled, ""
        self._reset_canvas()

    def explain(self) -> Explanation | None:
        """Why the drawing was read as it was; None when there is none or the model is away."""
        if self.drawing.picture is None:
            return None
        try:
            return self.model.explain(self.drawing.picture, self.drawing.id)
        except ModelError as error:
            self.notice = str(error)
            return None

    def _read(self, picture: bytes) -> None:
        drawing = Drawing() if self.drawing.closed else self.drawing
        try:
            answered = drawing.answered(picture, self.model.predict(picture, drawing.id))
            self.outbox.put(answered.record())
        except ModelError as error:
            self.drawing, self.notice, self._unread = drawing.emptied(), str(error), picture
        except sqlite3.Error:
            self.drawing, self.notice, self._unread = drawing.emptied(), NOT_KEPT, picture
        else:
            self.drawing, self.notice, self._unread = answered, "", None
            if answered.answer is not None and not answered.answer.is_digit:
                self.notice = NOT_A_DIGIT

    def _reset_canvas(self) -> None:
        if self._strokes:
            self._redraw([])
            self._strokes = []

    def _redraw(self, strokes: list[Any]) -> None:
        # The canvas redraws itself when it is told a new start; the count makes the same one new.
        self._resets += 1
        self.canvas_start = {"objects": strokes, "reset": self._resets}
