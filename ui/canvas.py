"""The canvas: streamlit-drawable-canvas, which pad.js runs in the browser, and the tools below it."""

from functools import partial
from importlib.metadata import files
from pathlib import Path

import streamlit as st

from ui.session import Session

SIDE = 320  # CSS pixels: fits a phone 360 wide
MEDIUM = "Medium"
BRUSHES = {"Fine": 12, MEDIUM: 20, "Bold": 30}
# Dark ink on paper in the light theme, light on dark in the dark one; the model finds out which is ink. Greys, because
# the model service reads those in less time: handler/canvas_png.py.
INK_AND_PAPER = {"light": ("#181818", "#ffffff"), "dark": ("#f6f6f6", "#161616")}
PAD = "pad"  # the component's key
# Of the package only what runs in the browser is used. Streamlit serves it at this address, relative to the page's.
_SCRIPT = next(file.name for file in files("streamlit-drawable-canvas") or [] if file.match("index-*.js"))
MODULE = f"./_stcore/bidi-components/streamlit-drawable-canvas.streamlit_drawable_canvas/{_SCRIPT}"
_pad = st.components.v2.component(
    PAD,
    html='<div class="canvas-root"></div>',
    js=Path(__file__).with_name("pad.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def theme() -> str:
    """The theme that the visitor sees, "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def canvas(session: Session) -> None:
    """Show the canvas. Acts are carried out in the callback, before this run."""
    ink, paper = INK_AND_PAPER[theme()]
    pad = _pad(
        key=PAD,
        data={
            "module": MODULE,
            "canvas": {
                "canvasWidth": SIDE,
                "canvasHeight": SIDE,
                "backgroundColor": paper,
                "backgroundImageURL": None,
                "drawingMode": "freedraw",
                "returnImageData": True,
                "realtimeUpdateStreamlit": False,  # pad.js asks for the picture, without a pause after the stroke
            },
            "ink": ink,
            "brush": BRUSHES[st.session_state.get("brush") or MEDIUM],
            "brushes": BRUSHES,
            "done": session.done,
            "shown": session.shown,
            "closed": session.drawing.closed,
        },
        on_acts_change=partial(_take, session),
    )
    # In the first run after a restart the callback was not registered, so acts are carried out here.
    if session.take(pad.acts or []):
        st.rerun()


def tools() -> None:
    """Show what is below the canvas: brush width, undo, clear. pad.js handles the clicks."""
    st.segmented_control(
        "Brush", list(BRUSHES), default=MEDIUM, key="brush", required=True, label_visibility="collapsed"
    )
    st.button("Undo", key="undo")
    st.button("Clear", key="clear")


def _take(session: Session) -> None:
    session.take(st.session_state[PAD].acts or [])
