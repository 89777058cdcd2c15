"""The second way in: a picture from a file or a phone's camera."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui import pending_uploads, pictures
from ui.session import Session

TYPES = [ending for endings in pictures.FORMATS.values() for ending in endings]
# Streamlit's widget marks a file that it refuses and gives the reason to screen readers alone: style.css shows this.
REFUSED = f"This file cannot be read. Choose a {pictures.ACCEPTED} file of at most 10 MB."
LOST = "The file did not arrive in time. Choose it again."


def choose_picture(session: Session) -> None:
    """Show the button that opens the choice; what is chosen is answered, and the choice closed."""
    uploads: int = st.session_state.setdefault("uploads", 0)
    with (
        st.popover("or choose a picture", key="choose", on_change="rerun", width="content"),
        st.container(key="upload"),
    ):
        st.file_uploader(
            "A picture of one digit",
            type=TYPES,
            key=f"upload-{uploads}",
            on_change=_look_at_upload,
            args=(session, uploads),
        )
        st.html(f'<div class="refused-file">{REFUSED}</div>')


def _look_at_upload(session: Session, uploads: int) -> None:
    file = st.session_state[f"upload-{uploads}"]
    # A run that begins before the browser has the next widget comes with this one's file again, which was forgotten.
    if file is None or uploads != st.session_state.uploads:
        return
    if isinstance(file, UploadedFile):
        pending_uploads.forget(file.file_id)
        try:
            session.look_at_upload(pictures.scaled_down(file.getvalue()))
        except pictures.PictureError as error:
            session.refuse_upload(str(error))
    else:
        session.refuse_upload(LOST)
    # A new widget the next time, which has no file yet.
    st.session_state.uploads = uploads + 1
    st.session_state.choose = False
