"""Pen strokes are fetched and verified, or taken from the folder DRAWN_DATA."""

import hashlib
from dataclasses import replace

import pytest

import settings
from tests.training.mirror import serve_files
from training.data import mnist as data
from training.data import pen_data
from training.data.download import DataError

CONTENTS = {file.name: f"strokes of {file.name}".encode() for file in pen_data.FILES}


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    files = [replace(file, sha256=hashlib.sha256(CONTENTS[file.name]).hexdigest()) for file in pen_data.FILES]
    monkeypatch.setattr(pen_data, "FILES", files)


@pytest.fixture(autouse=True)
def root(monkeypatch, tmp_path):
    """An empty data folder."""
    monkeypatch.delenv("DRAWN_DATA", raising=False)
    monkeypatch.setattr(pen_data, "ROOT", tmp_path)
    return tmp_path / settings.DRAWN_DATA.default


@pytest.fixture
def host(monkeypatch):
    with serve_files({file.address: CONTENTS[file.name] for file in pen_data.FILES}) as server:
        monkeypatch.setattr(pen_data, "HOST", server.url)
        yield server


def _put(folder, contents):
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_every_file_is_fetched_once(root, host):
    assert pen_data.fetch() == root
    assert {name: (root / name).read_bytes() for name in CONTENTS} == CONTENTS
    assert len(host.requests) == len(CONTENTS) == 14
    pen_data.fetch()
    assert len(host.requests) == len(CONTENTS)


def test_a_file_with_a_wrong_checksum_is_rejected_and_fetched_again(root, host, capsys):
    file = pen_data.FILES[0]
    host.files[file.address] = b"something else"
    with pytest.raises(DataError, match=rf": {file.name}\."):
        pen_data.fetch()
    assert f"{file.name} has the wrong checksum" in capsys.readouterr().out
    host.files[file.address] = CONTENTS[file.name]
    pen_data.fetch()
    assert host.requests[-1] == (file.address, None)


def test_a_damaged_file_is_fetched_again(root, host):
    file = pen_data.FILES[-1]
    _put(root, CONTENTS | {file.name: b"damaged"})
    pen_data.fetch()
    assert [name for name, _ in host.requests] == [file.address]


def test_a_missing_file_is_named_in_one_line(root, host, monkeypatch, capsys):
    monkeypatch.setattr(data, "fetch", lambda _: None)
    file = pen_data.FILES[1]
    del host.files[file.address]
    assert data.main([]) == 1
    out = capsys.readouterr()
    [line] = out.err.splitlines()
    assert line.startswith(f"Real drawings are missing in {root}: {file.name}. Put the files there")
    assert f"{file.name} was not downloaded: HTTP Error 404" in out.out
    assert data.main(["--without-real-drawings"]) == 0


def test_another_folder_is_used_without_download(tmp_path, host, monkeypatch):
    monkeypatch.setenv("DRAWN_DATA", str(tmp_path / "copy"))
    _put(tmp_path / "copy", CONTENTS)
    assert pen_data.fetch() == tmp_path / "copy"
    (tmp_path / "copy" / pen_data.FILES[2].name).unlink()
    with pytest.raises(DataError, match=pen_data.FILES[2].name):
        pen_data.fetch()
    assert host.requests == []
