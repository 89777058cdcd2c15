"""The canvas: streamlit-drawable-canvas, set up for drawing one digit with mouse or finger."""

from typing import Any

import streamlit as st
from streamlit_drawable_canvas import st_canvas

from ui.session import Session

SIDE = 320  # CSS pixels: fits a phone 360 wide
BRUSHES = {"Fine": 12, "Medium": 20, "Bold": 30}
# Dark ink on paper in the light theme, light on dark in the dark one; the model finds out which is ink.
INK_AND_PAPER = {"light": ("#16181d", "#ffffff"), "dark": ("#f5f6f8", "#14161b")}

# The canvas brings a toolbar, for editing shapes, that lies invisibly over its corner and takes strokes there.
# Its style is isolated, so it can be reached only from within the page.
_WITHOUT_TOOLBAR = """
export default function () {
    const hide = () => {
        for (const host of document.querySelectorAll('.st-key-canvas *')) {
            const root = host.shadowRoot
            if (root && root.querySelector('.canvas-root') && !root.querySelector('style[data-plain]')) {
                const style = document.createElement('style')
                style.dataset.plain = ''
                style.textContent = '.dc-toolbar { display: none !important }'
                root.append(style)
            }
        }
    }
    hide()
    const observer = new MutationObserver(hide)
    observer.observe(document.body, { childList: true, subtree: true })
    return () => observer.disconnect()
}
"""
_hide_toolbar = st.components.v2.component("plain_canvas", js=_WITHOUT_TOOLBAR, isolate_styles=False)


def theme() -> str:
    """The theme that the visitor sees, "light" or "dark"."""
    return "dark" if st.context.theme.type == "dark" else "light"


def canvas(session: Session) -> None:
    """Show the canvas and its tools; a finished stroke is answered before this returns."""
    ink, paper = INK_AND_PAPER[theme()]
    brush = st.session_state.get("brush") or "Medium"
    with st.container(key="canvas"):
        drawn = st_canvas(
            stroke_width=BRUSHES[brush],
            stroke_color=ink,
            background_color=paper,
            width=SIDE,
            height=SIDE,
            initial_drawing=session.canvas_start,
            return_image_data=True,
            key="pad",
        )
        _hide_toolbar(key="plain")
    strokes: list[Any] = (drawn.json_data or {}).get("objects", [])
    session.look_at_canvas(strokes, drawn.image_bytes)
    with st.container(key="tools", horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Brush", list(BRUSHES), default="Medium", key="brush", label_visibility="collapsed"
        )
        st.button("Undo", key="undo", on_click=session.undo)
        st.button("Clear", key="clear", on_click=session.clear)
