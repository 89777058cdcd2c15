"""What the canvas and Streamlit leave to be done in the browser: browser.js, pointers.js and strokes.js."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from ui.visitor import COOKIE


def _component(name: str) -> Callable[..., Any]:
    script = Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8")
    component: Callable[..., Any] = st.components.v2.component(name, js=script, isolate_styles=False)
    return component


_browser, _pointers, _strokes = _component("browser"), _component("pointers"), _component("strokes")


def finish(visitor: str) -> str:
    """Finish the page in the browser, which keeps the visitor's id.

    Outside of every fragment: a restarted server knows none of them, so that only the run that this asks for after a
    lost connection brings what was drawn meanwhile. Of that run it gives back the mark of the start that the canvas
    has, else "".
    """
    _pointers(key="pointers")
    _strokes(key="strokes")
    said = _browser(key="browser", data={"cookie": f"{COOKIE}={visitor}"}, on_connected_change=lambda: None)
    return str(said.connected or "")
