"""The uploaded picture with a box around the digit that was read. A tap or a drag picks another box."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from ui import pictures
from ui.session import Session

KEY = "box-picker"
_box_picker = st.components.v2.component(
    KEY,
    html=(
        '<div class="file"><div class="sheet"><img alt="Your picture, with a box around what was read" decoding="sync">'
        '<div class="box" hidden></div></div>'
        '<div class="small">Wrong place? Tap the digit, or drag a box around it.</div></div>'
    ),
    js=Path(__file__).with_name("box_picker.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show_box_picker(session: Session) -> None:
    """Show the picture of the answer, if it is an upload."""
    if session.file is not None:
        data = {"picture": pictures.data_uri(session.file.original), "box": session.box}
        _box_picker(key=KEY, data=data, on_chosen_change=partial(_read_box, session))


def _read_box(session: Session) -> None:
    box = parse_box(st.session_state[KEY].chosen)
    if box is not None:
        session.read_box(box)


def parse_box(sent: Any) -> pictures.Box | None:
    """The box that a browser sent, as shares of the picture's sides; None for an invalid or an empty box."""
    if not isinstance(sent, list) or len(sent) != 4 or not all(type(share) in (int, float) for share in sent):
        return None
    left, top, right, bottom = sent
    # Comparisons with NaN are false.
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        return None
    return float(left), float(top), float(right), float(bottom)
