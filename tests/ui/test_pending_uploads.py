"""Uploads in the page's memory. tests/system has a running page."""

import asyncio
from types import SimpleNamespace

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from ui import pending_uploads
from ui.pending_uploads import PendingUploads


@pytest.fixture
def uploads(monkeypatch):
    """The server's store with the page's limits."""
    store = MemoryUploadedFileManager("/upload")
    server = SimpleNamespace(uploaded_file_mgr=store)
    monkeypatch.setattr(pending_uploads.runtime, "exists", lambda: True)
    monkeypatch.setattr(pending_uploads.runtime, "get_instance", lambda: server)
    for _ in range(2):  # at each run of the page
        pending_uploads.limit()
    return store


def _file(name, size=10):
    return UploadedFileRec(name, f"{name}.png", "image/png", bytes(size))


def _file_ids(uploads, session, *names):
    return [file.file_id for file in uploads.get_files(session, names)]


def test_a_session_keeps_one_file(uploads):
    async def send():
        for name in "abc":
            uploads.add_file("one", _file(name))
        uploads.add_file("other", _file("d"))

    asyncio.run(send())
    assert _file_ids(uploads, "one", *"abc") == ["c"]
    assert _file_ids(uploads, "other", "d") == ["d"]
    assert uploads._total_bytes == 20


def test_the_total_size_is_limited_and_the_oldest_file_is_removed_first(uploads, monkeypatch):
    monkeypatch.setattr(pending_uploads, "MOST_BYTES", 30)

    async def send():
        for number in range(9):
            uploads.add_file(str(number), _file("a"))

    asyncio.run(send())
    assert [_file_ids(uploads, str(number), "a") for number in range(9)] == [[]] * 6 + [["a"]] * 3


def test_an_unread_file_is_removed_after_its_time_and_a_newer_file_stays(uploads, monkeypatch):
    monkeypatch.setattr(pending_uploads, "KEPT_S", 0.05)

    async def send():
        uploads.add_file("one", _file("a"))
        uploads.add_file("other", _file("b"))
        monkeypatch.setattr(pending_uploads, "KEPT_S", 60)
        uploads.add_file("one", _file("c"))
        await asyncio.sleep(0.2)

    asyncio.run(send())
    assert _file_ids(uploads, "other", "b") == []
    assert _file_ids(uploads, "one", "c") == ["c"]
    uploads.remove_file("one", "c")
    assert uploads._total_bytes == 0


def test_streamlit_has_the_attributes_that_the_limits_use():
    assert isinstance(PendingUploads("/upload").file_storage, dict)
    assert PendingUploads("/upload")._total_bytes == 0
