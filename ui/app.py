"""The page: draw a digit, read the answer, say whether it is right.

streamlit run ui/app.py
"""

from pathlib import Path

import streamlit as st

import settings
from ui import answer, browser, upload
from ui.canvas import canvas
from ui.model_client import ModelClient
from ui.outbox import Outbox
from ui.session import Session


@st.cache_resource
def _model() -> ModelClient:
    return ModelClient(settings.MODEL_URL.read())


@st.cache_resource
def _outbox() -> Outbox:
    return Outbox(settings.OUTBOX_PATH.read())


def _session() -> Session:
    if "session" not in st.session_state:
        st.session_state.session = Session(_model(), _outbox())
    session: Session = st.session_state.session
    return session


@st.fragment  # a stroke runs this again, and not the whole page
def _drawing_board(session: Session) -> None:
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.html('<h1 class="title">Draw a digit</h1>')
        upload.choose_picture(session)
    with st.container(key="board"):
        with st.container(key="paper"):
            canvas(session)
        with st.container(key="panel"):
            answer.answer(session)
            # The browser takes 10 ms for each button: those come, below the answer, after all of the answer.
            place_of_label = st.container(key="label")
            answer.bars(session)
            with place_of_label:
                answer.label(session)
            answer.why(session)
    st.html('<div class="small footer">What you draw here is kept, to learn from.</div>')


def main() -> None:
    st.set_page_config(page_title="MNIST Digit Classifier", page_icon="✏️", layout="wide")
    st.html(Path(__file__).with_name("style.css"))
    _drawing_board(_session())
    browser.finish()


main()
