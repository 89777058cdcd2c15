"""What the canvas and Streamlit leave to be done in the browser: browser.js."""

from pathlib import Path

import streamlit as st

_browser = st.components.v2.component(
    "browser", js=Path(__file__).with_name("browser.js").read_text(encoding="utf-8"), isolate_styles=False
)


def finish() -> None:
    """Finish the page in the browser. Outside of every fragment: a restarted server knows none of them, so that
    only the run that this asks for after a lost connection brings what was drawn meanwhile."""
    _browser(key="browser", on_connected_change=lambda: None)
