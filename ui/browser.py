"""What is left to be done in the browser on every page: browser.js."""

from pathlib import Path

import streamlit as st

from ui.visitor import COOKIE

_browser = st.components.v2.component(
    "browser", js=Path(__file__).with_name("browser.js").read_text(encoding="utf-8"), isolate_styles=False
)


def finish(visitor: str) -> None:
    """Let the browser keep the visitor's id, and ask for a run after a lost connection.

    Outside of every fragment: a restarted server knows none of them.
    """
    _browser(key="browser", data={"cookie": f"{COOKIE}={visitor}"}, on_connected_change=lambda: None)
