"""The page: draw a digit, read the answer, say whether it is right. Beside it History, for operators Insights, Models.

streamlit run ui/app.py
"""

import gc
from functools import partial
from pathlib import Path
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import settings
from ui import answer, browser, history, history_page, pending_uploads, upload
from ui.canvas import canvas, tools
from ui.database import Database, DatabaseAway
from ui.model_client import ModelClient
from ui.operator import Door
from ui.outbox import Outbox
from ui.place import place
from ui.rate_limit import RateLimit
from ui.record import Record
from ui.session import ANSWERS_A_MINUTE, ANSWERS_AT_ONCE, Session
from ui.sign_in import client_address, is_operator, sign_in
from ui.visitor import visitor


@st.cache_resource
def _model() -> ModelClient:
    return ModelClient(settings.MODEL_URL.read())


@st.cache_resource
def _outbox() -> Outbox:
    return Outbox(settings.OUTBOX_PATH.read())


@st.cache_resource
def _database() -> Database:
    return Database()


@st.cache_resource
def _door() -> Door:
    return Door(settings.OPERATOR_PASSWORD.read())


@st.cache_resource
def _answers() -> RateLimit:
    return RateLimit(ANSWERS_AT_ONCE, 60 / ANSWERS_A_MINUTE)


@st.cache_resource
def _freeze_imports() -> None:
    """Leave what the first run imported out of garbage collections.

    Streamlit collects after each run. With all of it that takes 60 ms, for which most of an answer waits to be sent.
    """
    gc.collect()
    gc.freeze()


def _find_row(drawing_id: UUID) -> Record | None:
    """A drawing's row in the database; None also while that is away."""
    try:
        with _database().reading() as connection:
            return history.record(connection, drawing_id)
    except DatabaseAway:
        return None


def _session() -> Session:
    if "session" not in st.session_state:
        may_keep = partial(_answers().take, client_address())
        st.session_state.session = Session(
            _model(), _outbox(), visitor(st.context.cookies), may_keep, _find_row
        )
    session: Session = st.session_state.session
    return session


@st.fragment  # a stroke runs this again, and not the whole page
def _drawing_board(session: Session) -> None:
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.html('<h1 class="title">Draw a digit</h1>')
        upload.choose_picture(session)
    with st.container(key="board"):
        with st.container(key="paper"):
            place_of_canvas = st.container(key="canvas")
            place_of_file = st.container(key="file")
            place_of_tools = st.container(key="tools", horizontal=True, vertical_alignment="center")
        with st.container(key="panel"):
            places = answer.lay_out()
    answer.answer(session, places)
    with place_of_canvas:
        canvas(session)
    with place_of_file:
        place(session)
    # The browser takes 10 ms for each button: these come after the answer.
    with place_of_tools:
        tools()
    with places.label:
        answer.label(session)
    with places.why:
        answer.why(session)


def main() -> None:
    st.set_page_config(page_title="MNIST Digit Classifier", page_icon="✏️", layout="wide")
    st.html(Path(__file__).with_name("style.css"))
    pending_uploads.limit()
    session, operator = _session(), is_operator(_door())

    def draw() -> None:
        _drawing_board(session)
        with st.container(key="footer", horizontal=True, horizontal_alignment="center"):
            st.html('<div class="small">Your drawings are stored and train the model.</div>', width="content")

    def show_history() -> None:
        with _heading("History"):
            sign_in(_door())
        history_page.History(session, _outbox(), _database(), everyones=operator).show()

    def show_insights() -> None:
        # Imported here: what draws its charts takes a moment and memory that no visitor needs.
        from ui import insights_page

        _heading("Insights")
        insights_page.show(_database())

    def show_models() -> None:
        from ui import models_page

        _heading("Model versions")
        models_page.show(_database())

    drawing = st.Page(draw, title="MNIST Digit Classifier", default=True)
    history = st.Page(show_history, title="History", url_path="history")
    insights = st.Page(show_insights, title="Insights", url_path="insights")
    # At the gateway /models is a name of TorchServe's own, which is closed.
    models = st.Page(show_models, title="Model versions", url_path="versions")
    pages = {"Draw": drawing, "History": history}
    if operator:
        pages |= {"Insights": insights, "Models": models}
    page = st.navigation(list(pages.values()), position="hidden")
    browser.finish(session.visitor)
    _arrive(page.url_path, session, operator)
    with st.container(key="bar", horizontal=True, vertical_alignment="center"):
        for label, linked in pages.items():
            if linked is page:
                st.html(f'<span aria-current="page">{label}</span>', width="content")
            else:
                st.page_link(linked, label=label)
    page.run()


def _heading(title: str) -> DeltaGenerator:
    """The heading of a page other than the drawing page; what it holds is beside the title."""
    st.html(Path(__file__).with_name("history.css"))
    heading = st.container(key="heading", horizontal=True, vertical_alignment="center")
    heading.html(f'<h1 class="title">{title}</h1>')
    return heading


def _arrive(path: str, session: Session, operator: bool) -> None:
    """What has to be done when somebody comes from another page, or as somebody else by signing in or out."""
    here = (path, operator)
    before = st.session_state.get("at", here)
    st.session_state.at = here
    if path and "brush" in st.session_state:
        st.session_state.brush = st.session_state.brush  # or Streamlit forgets it with the page it is on
    if here == before:
        return
    if path == "":
        session.catch_up()
    if path == "history":
        history_page.open_anew()


main()
_freeze_imports()
