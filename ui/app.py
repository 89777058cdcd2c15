"""The page: draw a digit, read the answer, say whether it is right.

streamlit run ui/app.py
"""

from pathlib import Path

import streamlit as st

import settings
from ui import answer, pictures
from ui.canvas import canvas
from ui.model_client import ModelClient
from ui.outbox import Outbox
from ui.session import Session

UPLOAD_TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp"]


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
        with st.popover("or choose a picture", key="choose", width="content"):
            st.file_uploader(
                "A picture of one digit",
                type=UPLOAD_TYPES,
                key="upload",
                on_change=_look_at_upload,
                args=(session,),
            )
    left, right = st.columns([320, 460], gap="large")
    with left:
        canvas(session)
    with right:
        answer.answer(session)
        answer.label(session)
        answer.why(session)


def _look_at_upload(session: Session) -> None:
    file = st.session_state.upload
    if file is None:
        return
    try:
        session.look_at_upload(pictures.scaled_down(file.getvalue()))
    except pictures.PictureError as error:
        session.refuse_upload(str(error))


def main() -> None:
    st.set_page_config(page_title="MNIST Digit Classifier", page_icon="✏️", layout="wide")
    st.html(Path(__file__).with_name("style.css"))
    _drawing_board(_session())


main()
