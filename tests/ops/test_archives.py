"""A damaged archive is told from a whole one, whatever was done to it."""

import zipfile
from pathlib import Path

import pytest

from ops.archives import MANIFEST, DamagedError, read_json, refuse_damaged


@pytest.fixture
def archive(tmp_path) -> Path:
    made = tmp_path / "mnist-7.3.mar"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as contents:
        contents.writestr(MANIFEST, '{"model": {"modelName": "mnist"}}')
        contents.writestr("weights.pt", bytes(range(256)) * 50)
    return made


def test_a_whole_one_is_read(archive):
    refuse_damaged(archive)
    assert read_json(archive, MANIFEST) == {"model": {"modelName": "mnist"}}


def test_any_byte_that_is_another_is_seen_or_does_no_harm(archive):
    whole = archive.read_bytes()
    seen = 0
    for place in range(len(whole)):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            refuse_damaged(archive)
            read_json(archive, MANIFEST)
        except DamagedError:
            seen += 1
    assert seen > len(whole) / 2  # the rest are times, rights and the like


def test_any_cut_is_seen(archive):
    whole = archive.read_bytes()
    for length in range(len(whole)):
        archive.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            refuse_damaged(archive)


@pytest.mark.parametrize("manifest", ["", "no JSON", "[]", "null"])
def test_a_manifest_that_is_none_is_said(archive, manifest):
    with zipfile.ZipFile(archive, "w") as contents:
        contents.writestr(MANIFEST, manifest)
    with pytest.raises(DamagedError):
        read_json(archive, MANIFEST)
    with pytest.raises(DamagedError, match="KeyError"):
        read_json(archive, "missing.json")
