"""The page: draw a digit, read the answer, label it. Also the pages History and, for operators, Insights and Models.

streamlit run ui/app.py
"""

import gc
from functools import partial
from pathlib import Path
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import settings
from ui import answer, browser, history, history_page, insights_page, models_page, pending_uploads, upload
from ui.box_picker import show_box_picker
from ui.canvas import show_canvas, show_tools
from ui.database import Database, DatabaseError
from ui.model_client import ModelClient
from ui.operator import LoginThrottle
from ui.outbox import Outbox
from ui.rate_limit import RateLimit
from ui.record import Record
from ui.session import ANSWERS_A_MINUTE, ANSWERS_AT_ONCE, Session
from ui.sign_in import client_address, is_operator, show_sign_in
from ui.visitor import read_visitor


class Services:
    """The objects that all visitors share."""

    def __init__(self) -> None:
        self.model = ModelClient(settings.MODEL_URL.read())
        self.outbox = Outbox(settings.OUTBOX_PATH.read())
        self.database = Database()
        self.throttle = LoginThrottle(settings.OPERATOR_PASSWORD.read())
        self.answers = RateLimit(ANSWERS_AT_ONCE, 60 / ANSWERS_A_MINUTE)

    def find_row(self, drawing_id: UUID) -> Record | None:
        """A drawing's row in the database; None also while the database is unavailable."""
        try:
            with self.database.reading() as connection:
                return history.record(connection, drawing_id)
        except DatabaseError:
            return None


@st.cache_resource
def _services() -> Services:
    return Services()


@st.cache_resource
def _freeze_imports() -> None:
    """Exclude the imported modules from garbage collection.

    Streamlit collects after each run. With the modules this takes 60 ms, and most of an answer waits for it.
    """
    gc.collect()
    gc.freeze()


def _session(services: Services) -> Session:
    if "session" not in st.session_state:
        st.session_state.session = Session(
            services.model,
            services.outbox,
            read_visitor(st.context.cookies),
            partial(services.answers.take, client_address()),
            services.find_row,
        )
    return st.session_state.session


@st.fragment  # a stroke reruns only this function
def _show_board(session: Session) -> None:
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.html('<h1 class="title">Draw a digit</h1>')
        upload.show_upload(session)
    with st.container(key="board"):
        with st.container(key="paper"):
            canvas, file = st.container(key="canvas"), st.container(key="file")
            tools = st.container(key="tools", horizontal=True, vertical_alignment="center")
        with st.container(key="panel"):
            panel = answer.lay_out()
    answer.show_answer(session, panel)
    with canvas:
        show_canvas(session)
    with file:
        show_box_picker(session)
    # After the answer: each button takes the browser 10 ms.
    with tools:
        show_tools()
    with panel["label"]:
        answer.show_labels(session)
    with panel["reasons"]:
        answer.show_explanation(session)


def main() -> None:
    st.set_page_config(page_title="MNIST Digit Classifier", page_icon="✏️", layout="wide")
    st.html(Path(__file__).with_name("style.css"))
    pending_uploads.limit()
    services = _services()
    session, operator = _session(services), is_operator(services.throttle)

    def show_drawing_page() -> None:
        _show_board(session)
        with st.container(key="footer", horizontal=True, horizontal_alignment="center"):
            st.html('<div class="small">Your drawings are stored and train the model.</div>', width="content")

    def show_history() -> None:
        with _show_heading("History"):
            show_sign_in(services.throttle)
        history_page.History(session, services.outbox, services.database, operator).show()

    def show_insights() -> None:
        _show_heading("Insights")
        insights_page.show(services.database)

    def show_models() -> None:
        _show_heading("Model versions")
        models_page.show(services.database)

    pages = {
        "Draw": st.Page(show_drawing_page, title="MNIST Digit Classifier", default=True),
        "History": st.Page(show_history, title="History", url_path="history"),
    }
    if operator:
        pages["Insights"] = st.Page(show_insights, title="Insights", url_path="insights")
        # The gateway answers /models, a path of TorchServe, with 404.
        pages["Models"] = st.Page(show_models, title="Model versions", url_path="versions")
    page = st.navigation(list(pages.values()), position="hidden")
    browser.show_browser(session.visitor)
    _handle_navigation(page.url_path, session, operator)
    with st.container(key="bar", horizontal=True, vertical_alignment="center"):
        for label, linked in pages.items():
            if linked is page:
                st.html(f'<span aria-current="page">{label}</span>', width="content")
            else:
                st.page_link(linked, label=label)
    page.run()


def _show_heading(title: str) -> DeltaGenerator:
    """Show the heading of another page than the drawing page; returns its container."""
    st.html(Path(__file__).with_name("history.css"))
    heading = st.container(key="heading", horizontal=True, vertical_alignment="center")
    heading.html(f'<h1 class="title">{title}</h1>')
    return heading


def _handle_navigation(path: str, session: Session, operator: bool) -> None:
    """Refresh what may be stale after a change of the page, or after a sign-in or sign-out."""
    here = (path, operator)
    before = st.session_state.get("at", here)
    st.session_state.at = here
    if path and "brush" in st.session_state:
        st.session_state.brush = st.session_state.brush  # else Streamlit drops it with its widget
    if here == before:
        return
    if path == "":
        session.load_label()
    if path == "history":
        history_page.reset()


main()
_freeze_imports()
