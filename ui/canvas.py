"""The canvas, which is streamlit-drawable-canvas controlled by pad.js in the browser, and the tools below it."""

from functools import partial
from importlib.metadata import files
from pathlib import Path

import streamlit as st

from ui.session import Session

SIDE = 320  # CSS pixels: fits a phone 360 wide
MEDIUM = "Medium"
BRUSHES = {"Fine": 12, MEDIUM: 20, "Bold": 30}  # CSS pixels
# Ink and paper of each theme. The model accepts both polarities. It reads grey pictures faster than coloured ones:
# handler/canvas_png.py.
INK_AND_PAPER = {"light": ("#181818", "#ffffff"), "dark": ("#f6f6f6", "#161616")}
PAD = "pad"  # the component's key
SCRIPT_COMPONENT = "streamlit-drawable-canvas.streamlit_drawable_canvas"
# Only the package's script is used. Streamlit serves it at this address, relative to the page.
_SCRIPT = next(file.name for file in files("streamlit-drawable-canvas") or [] if file.match("index-*.js"))
MODULE = f"./_stcore/bidi-components/{SCRIPT_COMPONENT}/{_SCRIPT}"
_pad = st.components.v2.component(
    PAD,
    html='<div class="canvas-root"></div>',
    js=Path(__file__).with_name("pad.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def theme() -> str:
    """The visitor's theme, "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def show_canvas(session: Session) -> None:
    """Show the canvas. Its callback carries out the acts before this run."""
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
                "realtimeUpdateStreamlit": False,  # pad.js reads the picture itself, without the package's delay
            },
            "ink": ink,
            "brush": BRUSHES[st.session_state.get("brush") or MEDIUM],
            "brushes": BRUSHES,
            "session": session.id,
            "done": session.done,
            "shown": session.shown,
            "closed": session.drawing.closed,
        },
        on_acts_change=partial(_take, session),
    )
    # The first run after a restart has no callback yet.
    if session.take(pad.acts or []):
        st.rerun()


def show_tools() -> None:
    """Show brush width, Undo and Clear. pad.js handles their clicks."""
    st.segmented_control(
        "Brush", list(BRUSHES), default=MEDIUM, key="brush", required=True, label_visibility="collapsed"
    )
    st.button("Undo", key="undo")
    st.button("Clear", key="clear")


def _take(session: Session) -> None:
    session.take(st.session_state[PAD].acts or [])
