"""The component of every page, browser.js: it stores the visitor's cookie and requests a run after a reconnection."""

from pathlib import Path

import streamlit as st

from ui.visitor import COOKIE

_browser = st.components.v2.component(
    "browser", js=Path(__file__).with_name("browser.js").read_text(encoding="utf-8"), isolate_styles=False
)


def show_browser(visitor: str) -> None:
    """Add the component, outside of every fragment, because a restarted server knows no fragments."""
    _browser(key="browser", data={"cookie": f"{COOKIE}={visitor}"}, on_connected_change=lambda: None)
