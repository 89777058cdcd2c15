"""The canvas: streamlit-drawable-canvas, set up for drawing one digit with mouse or finger."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit_drawable_canvas import CanvasResult, st_canvas

from ui.session import Session

SIDE = 320  # CSS pixels: fits a phone 360 wide
MEDIUM = "Medium"
BRUSHES = {"Fine": 12, MEDIUM: 20, "Bold": 30}
# Dark ink on paper in the light theme, light on dark in the dark one; the model finds out which is ink. Greys, because
# the model service reads those in less time: handler/canvas_png.py.
INK_AND_PAPER = {"light": ("#181818", "#ffffff"), "dark": ("#f6f6f6", "#161616")}
# The canvas gives back the strokes it shows and, of what else it was started with, only properties that it knows.
# This one has no meaning for a whole canvas, so it carries the start's mark there and back.
START_MARK = "lockScalingFlip"
PAD = "pad"  # the canvas's key


def theme() -> str:
    """The theme that the visitor sees, "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def brush() -> str:
    """The brush that is chosen, a key of `BRUSHES`."""
    return st.session_state.get("brush") or MEDIUM


def canvas(session: Session) -> None:
    """Show the canvas; a finished stroke is answered before this returns."""
    session.theme = session.theme or theme()
    ink, paper = INK_AND_PAPER[session.theme]
    start = session.canvas_start
    drawn = st_canvas(
        stroke_width=BRUSHES[brush()],
        stroke_color=ink,
        background_color=paper,
        width=SIDE,
        height=SIDE,
        initial_drawing={"objects": list(start.strokes), START_MARK: start.mark},
        return_image_data=True,
        key=PAD,
    )
    # Before anything else is shown, which is where Streamlit may break this run off for a newer one: a start that
    # reached the browser has been compared with what the browser had.
    _look(session, drawn)
    if session.theme != theme():
        # Only now: a stroke that came with this run is one of those that are repainted.
        session.repaint(theme(), INK_AND_PAPER[theme()][0])
    if session.canvas_start is not start:
        st.rerun()  # with the canvas that it asks for


def take_in(session: Session) -> None:
    """Answer a stroke that the canvas has sent and no run has come to yet: one that a click came together with."""
    sent = st.session_state.get(PAD)
    if sent and sent.get("drawing"):
        drawing = sent["drawing"]
        _look(session, CanvasResult(drawing["raw"], drawing["data"], return_image_data=True))


def after_strokes(session: Session, act: Callable[..., None]) -> Callable[..., None]:
    """`act` for a button: on the drawing that is on the canvas. Streamlit runs what a click does before the page."""

    def do(*arguments: Any) -> None:
        take_in(session)
        act(*arguments)

    return do


def redrawing(session: Session, act: Callable[..., None]) -> Callable[..., None]:
    """`act` for a button that may redraw the canvas. It is counted: strokes.js waits for that with the next stroke."""

    def do(*arguments: Any) -> None:
        session.clicks += 1
        act(*arguments)

    return do


def tools(session: Session) -> None:
    """Show what is below the canvas: brush width, undo, clear."""
    st.segmented_control(
        "Brush", list(BRUSHES), default=MEDIUM, key="brush", required=True, label_visibility="collapsed"
    )
    st.button("Undo", key="undo", on_click=redrawing(session, after_strokes(session, session.undo)))
    st.button("Clear", key="clear", on_click=redrawing(session, session.clear))


def _look(session: Session, drawn: CanvasResult) -> None:
    shown: dict[str, Any] = drawn.json_data or {}
    session.look_at_canvas(shown.get(START_MARK), shown.get("objects", []), drawn.image_bytes)
