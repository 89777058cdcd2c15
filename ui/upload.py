"""The second way in: a picture from a file or a phone's camera."""

import streamlit as st

from ui import pictures
from ui.session import Session

# A phone that keeps its photos in another format converts them to one of these.
TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif"]


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


def _look_at_upload(session: Session, uploads: int) -> None:
    file = st.session_state[f"upload-{uploads}"]
    if file is None:
        return
    try:
        session.look_at_upload(pictures.scaled_down(file.getvalue()))
    except pictures.PictureError as error:
        session.refuse_upload(str(error))
    # A new widget the next time, so that the server forgets this file, up to 10 MiB a visitor.
    st.session_state.uploads = uploads + 1
    st.session_state.choose = False
