"""The uploaded picture with a box around the digit that was read. A tap on a digit, or a line around it, picks another.

A canvas of streamlit-drawable-canvas lies over the picture. style.css shows a line only while it is drawn. The server
never loads a drawing into this canvas: that would end a line in progress.
"""

from functools import cache, partial
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from ui import pictures
from ui.canvas import SCRIPT_COMPONENT
from ui.session import Session

ROOM = (304, 276)  # CSS pixels for the picture, above the hint
TAP = 8  # CSS pixels: a shorter line is a tap
FARTHEST = 1e5  # CSS pixels: no screen is larger
DEFAULT_SIDE = 1 / 3  # side of a tap's box before the first answer, of the picture's shorter side
LINE = {"strokeWidth": 3, "strokeColor": "#5b7dfb"}  # visible on dark and light pictures

Size = tuple[int, int]


def show_box_picker(session: Session) -> None:
    """Show the picture of the answer, if it is an upload."""
    if session.file is None:
        return
    picture = session.file.original
    size = width, height = fit(pictures.read_size(picture))
    key = f"box-picker-{session.shown}"  # another picture gets another canvas
    with st.container(key="picture"):
        with st.container(key="sheet", width=width):
            st.html(
                f'<img src="{pictures.data_uri(picture)}" width="{width}" height="{height}" decoding="sync" '
                'alt="Your picture, with a box around what was read">'
            )
            st.html(_box_html(session.box))
            _canvas()(
                key=key,
                data={
                    **LINE,
                    "canvasWidth": width,
                    "canvasHeight": height,
                    "backgroundColor": "",
                    "backgroundImageURL": None,
                    "drawingMode": "freedraw",
                    "initialDrawing": {"objects": []},
                    "realtimeUpdateStreamlit": True,
                },
                on_drawing_change=partial(_read_box, session, key, size),
            )
        st.html('<div class="small">Wrong place? Tap the digit, or circle it.</div>')


@cache
def _canvas() -> ComponentRenderer:
    """The package's component without its shadow root, so that style.css applies.

    Not at import: Streamlit knows the package's script only in a running server.
    """
    html = '<div class="canvas-root"></div>'
    return st.components.v2.component(SCRIPT_COMPONENT, html=html, js="index-*.js", isolate_styles=False)


def parse_box(sent: Any, size: Size, last: pictures.Box | None) -> pictures.Box | None:
    """The box around the newest line on a picture of this size, as shares of its sides; None for an invalid line.

    A tap picks a square as large as the last box: the digits of a picture mostly have one size.
    """
    try:
        line = sent["raw"]["objects"][-1]
        x, y, width, height = (line[name] for name in ("left", "top", "width", "height"))  # x, y: the middle
    except (TypeError, KeyError, IndexError):
        return None
    # Comparisons with NaN are false.
    if not all(type(number) in (int, float) and abs(number) < FARTHEST for number in (x, y, width, height)):
        return None
    if max(width, height) < TAP:
        left, top, right, bottom = last or (0, 0, 0, 0)
        width = height = max((right - left) * size[0], (bottom - top) * size[1]) or DEFAULT_SIDE * min(size)
    left, right = _clamp((x - width / 2) / size[0]), _clamp((x + width / 2) / size[0])
    top, bottom = _clamp((y - height / 2) / size[1]), _clamp((y + height / 2) / size[1])
    return (left, top, right, bottom) if left < right and top < bottom else None


def _clamp(share: float) -> float:
    return min(1.0, max(0.0, share))


def fit(size: Size) -> Size:
    """The picture's size in the room: a large one is reduced, a small one enlarged."""
    width, height = size
    scale = min(ROOM[0] / width, ROOM[1] / height)
    return max(1, round(scale * width)), max(1, round(scale * height))


def _box_html(box: pictures.Box | None) -> str:
    if box is None:
        return '<div class="box" hidden></div>'
    left, top, right, bottom = (100 * share for share in box)
    style = f"left: {left:.2f}%; top: {top:.2f}%; width: {right - left:.2f}%; height: {bottom - top:.2f}%"
    return f'<div class="box" style="{style}"></div>'


def _read_box(session: Session, key: str, size: Size) -> None:
    box = parse_box(st.session_state[key].drawing, size, session.box)
    if box is not None:
        session.read_box(box)
