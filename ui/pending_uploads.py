"""Uploaded files that wait to be read: one a session, for seconds, and not many in all.

Streamlit keeps every file that is sent to it in memory until its session ends, minutes after the browser is gone, and
has no setting for that.
"""

import asyncio
import ctypes

from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

# The page reads a file in the run that its browser asks for at once. A busy page takes a few seconds to come to it.
WAITS_S = 8.0
# Six of the largest. The container has 448 MiB, of which a page without visitors needs 160.
MOST_BYTES = 60 * 2**20
# From this size on, glibc's malloc takes memory from the system for each object and gives it back with it. By itself it
# raises the size to that of the largest object so far, and of 30 uploads kept 75 MiB for ever.
GIVEN_BACK_FROM_BYTES = 2**20
M_MMAP_THRESHOLD = -3  # malloc.h


class PendingUploads(MemoryUploadedFileManager):
    """Streamlit's store of uploaded files with these limits: a newer file of a session replaces the one before."""

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Keep a file until it is read. Called in the server's event loop, for each PUT."""
        self.remove_session_files(session_id)
        while self.file_storage and self._total_bytes + len(file.data) > MOST_BYTES:
            self.remove_session_files(next(iter(self.file_storage)))  # the one that waits longest
        super().add_file(session_id, file)
        asyncio.get_running_loop().call_later(WAITS_S, self.remove_file, session_id, file.file_id)

    def remove_file(self, session_id: str, file_id: str) -> None:
        """Forget a file, if it is still there."""
        if file_id in self.file_storage.get(session_id, ()):
            self.remove_session_files(session_id)


def limit() -> None:
    """Apply the limits to the running server, which made its store before it ran the page for the first time."""
    if runtime.exists():  # not in AppTest
        store = runtime.get_instance().uploaded_file_mgr
        if type(store) is MemoryUploadedFileManager:
            # Everything in the server holds this very object, so that its class is what can be exchanged.
            store.__class__ = PendingUploads
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, GIVEN_BACK_FROM_BYTES)


def forget(file_id: str) -> None:
    """Forget a file of this session that was read."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file_id)
