"""Limits on uploads in memory: one for each session, for a few seconds, and a total size.

Streamlit keeps every uploaded file in memory until its session ends, minutes after the browser is closed. It has no
setting for this.
"""

import asyncio
import ctypes

from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

# The page reads a file in the next run, which a busy page starts within a few seconds.
KEPT_S = 8.0
# Six files of the largest size. The container has 448 MiB, and a page without visitors needs 160 MiB.
MOST_BYTES = 60 * 2**20
# glibc's malloc returns objects above this size to the system at once. By default it raises this size to that of the
# largest object so far: 75 MiB of 30 uploads stayed allocated.
MMAP_THRESHOLD_BYTES = 2**20
M_MMAP_THRESHOLD = -3  # malloc.h


class PendingUploads(MemoryUploadedFileManager):
    """Streamlit's store of uploaded files, with the limits. A session's next file replaces its last one."""

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        """Store a file until it is read. The server calls this in its event loop for each PUT."""
        self.remove_session_files(session_id)
        while self.file_storage and self._total_bytes + len(file.data) > MOST_BYTES:
            self.remove_session_files(next(iter(self.file_storage)))  # the oldest
        super().add_file(session_id, file)
        asyncio.get_running_loop().call_later(KEPT_S, self.remove_file, session_id, file.file_id)

    def remove_file(self, session_id: str, file_id: str) -> None:
        """Remove a file if it is still stored."""
        if file_id in self.file_storage.get(session_id, ()):
            self.remove_session_files(session_id)


def limit() -> None:
    """Apply the limits to the running server, which creates its store before the first run of the page."""
    if runtime.exists():  # not in AppTest
        store = runtime.get_instance().uploaded_file_mgr
        if type(store) is MemoryUploadedFileManager:
            # The server holds many references to this object, so its class is replaced and not the object.
            store.__class__ = PendingUploads
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)


def forget(file_id: str) -> None:
    """Remove a file of this session."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(context.session_id, file_id)
