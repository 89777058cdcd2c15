"""Uploads: a picture from a file or a phone's camera."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui import pending_uploads, pictures
from ui.session import Session

TYPES = [ending for endings in pictures.FORMATS.values() for ending in endings]
# For a file that Streamlit's widget refuses. The widget gives its reason to screen readers only; style.css shows this.
REFUSED = f"This file cannot be read. Choose a {pictures.ACCEPTED} file of at most 10 MB."
LOST = "The file did not arrive in time. Choose it again."


def show_upload(session: Session) -> None:
    """Show the button that opens the file chooser. A chosen file is read, and the chooser closes."""
    uploads: int = st.session_state.setdefault("uploads", 0)
    with (
        st.popover("or choose a picture", key="choose", on_change="rerun", width="content"),
        st.container(key="upload"),
    ):
        st.file_uploader(
            "A picture of one digit",
            type=TYPES,
            key=f"upload-{uploads}",
            on_change=_read_upload,
            args=(session, uploads),
        )
        st.html(f'<div class="refused-file">{REFUSED}</div>')


def _read_upload(session: Session, uploads: int) -> None:
    file = st.session_state[f"upload-{uploads}"]
    # A run that starts before the browser has the next widget sends this widget's file again.
    if file is None or uploads != st.session_state.uploads:
        return
    if isinstance(file, UploadedFile):
        pending_uploads.forget(file.file_id)
        try:
            session.read_upload(pictures.scale_down(file.getvalue()))
        except pictures.PictureError as error:
            session.notice = str(error)
    else:
        session.notice = LOST
    # The next upload gets a new, empty widget.
    st.session_state.uploads = uploads + 1
    st.session_state.choose = False
