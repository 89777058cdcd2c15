"""The picture of a file, where the canvas is, with a box around what was read; a tap or a drag asks for another."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from ui import pictures
from ui.session import Session

KEY = "place"  # the component's
_place = st.components.v2.component(
    KEY,
    html=(
        '<div class="file"><div class="sheet"><img alt="Your picture, with a box around what was read" decoding="sync">'
        '<div class="box" hidden></div></div>'
        '<div class="small">Wrong place? Tap the digit, or drag a box around it.</div></div>'
    ),
    js=Path(__file__).with_name("place.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def place(session: Session) -> None:
    """Show the picture that the answer is of, if that came as a file."""
    if session.file is None:
        return
    _place(
        key=KEY,
        data={"picture": pictures.data_uri(session.file.original), "box": session.box},
        on_chosen_change=partial(_read_place, session),
    )


def _read_place(session: Session) -> None:
    box = read_box(st.session_state[KEY].chosen)
    if box is not None:
        session.look_at_place(box)


def read_box(sent: Any) -> pictures.Box | None:
    """The box that a browser sent, shares of the picture's sides; None if it is none or has no width or height."""
    if not isinstance(sent, list) or len(sent) != 4 or not all(type(share) in (int, float) for share in sent):
        return None
    left, top, right, bottom = (float(share) for share in sent)
    if not all(math.isfinite(share) for share in (left, top, right, bottom)):
        return None
    return (left, top, right, bottom) if 0 <= left < right <= 1 and 0 <= top < bottom <= 1 else None
