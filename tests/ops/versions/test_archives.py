"""Damaged archives are detected."""

import zipfile
from pathlib import Path

import pytest

from ops.versions.archives import MANIFEST, DamagedError, read_json, refuse_damaged


@pytest.fixture
def archive(tmp_path) -> Path:
    made = tmp_path / "mnist-7.3.mar"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as contents:
        contents.writestr(MANIFEST, '{"model": {"modelName": "mnist"}}')
        contents.writestr("weights.pt", bytes(range(256)) * 50)
    return made


def test_an_intact_archive_is_read(archive):
    refuse_damaged(archive)
    assert read_json(archive, MANIFEST) == {"model": {"modelName": "mnist"}}


def test_a_changed_byte_is_detected_or_harmless(archive):
    whole = archive.read_bytes()
    seen = 0
    for place in range(len(whole)):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            refuse_damaged(archive)
            read_json(archive, MANIFEST)
        except DamagedError:
            seen += 1
    assert seen > len(whole) / 2  # the rest are times, permissions and other metadata


def test_every_truncation_is_detected(archive):
    whole = archive.read_bytes()
    for length in range(len(whole)):
        archive.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            refuse_damaged(archive)


@pytest.mark.parametrize("manifest", ["", "no JSON", "[]", "null"])
def test_an_invalid_manifest_is_reported(archive, manifest):
    with zipfile.ZipFile(archive, "w") as contents:
        contents.writestr(MANIFEST, manifest)
    with pytest.raises(DamagedError):
        read_json(archive, MANIFEST)
    with pytest.raises(DamagedError, match="KeyError"):
        read_json(archive, "missing.json")
