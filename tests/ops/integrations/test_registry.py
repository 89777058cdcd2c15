"""Push to and pull from a real S3 server."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.integrations import registry
from ops.integrations.registry import Store, pull, push
from ops.versions.state import archive_name
from tests.ops.s3 import KEYS, s3_server
from tests.system.proxy import proxy
from tests.system.running import ROOT


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of an S3 server for this module."""
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def store(server, monkeypatch) -> Store:
    """A bucket for this test, in the settings."""
    bucket = f"of-a-test-{uuid.uuid4()}"
    for name, value in (
        ("S3_ENDPOINT", server),
        ("S3_BUCKET", bucket),
        ("S3_ACCESS_KEY", KEYS["accessKey"]),
        ("S3_SECRET_KEY", KEYS["secretKey"]),
    ):
        monkeypatch.setenv(name, value)
    store = Store.from_settings()
    yield store
    store.client.close()


@pytest.fixture
def archive(tmp_path) -> Path:
    made = tmp_path / "here" / archive_name("7.1")
    made.parent.mkdir()
    made.write_bytes(bytes(range(256)) * 4000)
    return made


@pytest.fixture
def there(tmp_path) -> Path:
    """The model store of another machine."""
    return tmp_path / "there"


@pytest.fixture
def empty(tmp_path, monkeypatch) -> None:
    """An empty model store for the command."""
    monkeypatch.setenv("MODEL_STORE", str(tmp_path))


def test_a_pull_returns_the_pushed_bytes(store, archive, there):
    assert "is pushed, 1,024,000 bytes, SHA-256 " in push(store, archive)
    assert "is pulled" in pull(store, "7.1", there)
    assert (there / archive.name).read_bytes() == archive.read_bytes()
    assert [path.name for path in there.iterdir()] == [archive.name]
    assert "is already in the store" in push(store, archive)
    assert "is already here" in pull(store, "7.1", there)


def test_a_local_store_is_reached_without_a_proxy(store, archive, monkeypatch):
    with proxy() as outside:
        for name, value in outside.environment.items():
            monkeypatch.setenv(name, value)
        assert "is pushed" in push(Store.from_settings(), archive)
        assert outside.asked == []


def test_a_version_is_never_overwritten(store, archive, there):
    push(store, archive)
    pull(store, "7.1", there)
    archive.write_bytes(b"another")
    with pytest.raises(OpsError, match="in the store has different content; a version is never overwritten"):
        push(store, archive)
    with pytest.raises(OpsError, match="differs from the store's; a version is never overwritten"):
        pull(store, "7.1", archive.parent)


def test_an_interrupted_push_is_invisible_and_resumes(store, archive, there, monkeypatch):
    monkeypatch.setattr(registry, "PART_BYTES", 5 * 2**20)
    archive.write_bytes(bytes(range(256)) * 50_000)  # three parts
    upload_part, sent = store.client.upload_part, []

    def breaks(**part):
        if len(sent) == 1:
            raise ConnectionError
        sent.append(part["PartNumber"])
        return upload_part(**part)

    monkeypatch.setattr(store.client, "upload_part", breaks)
    with pytest.raises(ConnectionError):
        push(store, archive)
    assert store.head(archive.name) is None
    with pytest.raises(OpsError, match="not in the store"):
        pull(store, "7.1", there)
    monkeypatch.setattr(
        store.client, "upload_part", lambda **part: sent.append(part["PartNumber"]) or upload_part(**part)
    )
    push(store, archive)
    assert sent == [1, 2, 3]  # the first only once
    pull(store, "7.1", there)
    assert (there / archive.name).read_bytes() == archive.read_bytes()


def test_a_push_does_not_resume_the_upload_of_other_content(store, archive, there, monkeypatch):
    monkeypatch.setattr(registry, "PART_BYTES", 5 * 2**20)
    archive.write_bytes(b"old" * 4_000_000)
    begun = store.client.create_multipart_upload(Bucket=store.bucket, Key=archive.name)["UploadId"]
    store.client.upload_part(
        Bucket=store.bucket, Key=archive.name, UploadId=begun, PartNumber=1, Body=b"x" * 5 * 2**20
    )
    push(store, archive)
    pull(store, "7.1", there)
    assert (there / archive.name).read_bytes() == archive.read_bytes()


def test_an_interrupted_pull_resumes(store, archive, there):
    push(store, archive)
    there.mkdir()
    (there / archive.name).with_suffix(".unfinished").write_bytes(archive.read_bytes()[:300_000])
    pull(store, "7.1", there)
    assert (there / archive.name).read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("length", [300_000, 1_024_000, 2_000_000])
def test_a_damaged_archive_is_refused(store, archive, there, length):
    push(store, archive)
    there.mkdir()
    # An earlier download that the disk damaged.
    (there / archive.name).with_suffix(".unfinished").write_bytes(b"\0" * length)
    if length > archive.stat().st_size:  # longer than the archive: the download starts again
        assert "is pulled" in pull(store, "7.1", there)
        return
    with pytest.raises(OpsError, match="damaged in the store"):
        pull(store, "7.1", there)
    assert list(there.iterdir()) == []


def test_an_object_with_replaced_content_is_rejected(store, archive, there):
    push(store, archive)
    digest = store.head(archive.name)["Metadata"]
    store.client.put_object(Bucket=store.bucket, Key=archive.name, Body=b"other", Metadata=digest)
    with pytest.raises(OpsError, match="damaged in the store"):
        pull(store, "7.1", there)
    store.client.put_object(Bucket=store.bucket, Key=archive.name, Body=b"other")
    with pytest.raises(OpsError, match="has no checksum"):
        pull(store, "7.1", there)
    assert list(there.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("push", ""), 2, "VERSION is missing, for example: make push VERSION=1.1"),
        (("pull", "latest"), 2, "VERSION 'latest' is not a version, for example: make pull VERSION=1.1"),
        (("push", "9.9"), 1, "Make it first: make archive VERSION=9.9"),
        (("pull", "9.9"), 1, "mnist-9.9.mar is not in the store. Push it first: make push VERSION=9.9"),
    ],
)
@pytest.mark.usefixtures("store", "empty")
def test_an_impossible_command_prints_one_line(capsys, words, status, message):
    assert registry.main(list(words)) == status
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.usefixtures("store", "empty")
def test_a_store_error_shows_no_secret(capsys, monkeypatch):
    monkeypatch.setenv("S3_SECRET_KEY", "not the right one")
    assert registry.main(["pull", "7.1"]) == 1
    refused = capsys.readouterr().err
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    assert registry.main(["pull", "7.1"]) == 1
    away = capsys.readouterr().err
    for message in (refused, away):
        assert message.startswith("The S3 store at http://127.0.0.1:")
        assert "the right one" not in message
        assert len(message.splitlines()) == 1


def test_a_missing_setting_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "ops.integrations.registry", "pull", "7.1"],
        cwd=ROOT,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Setting 'S3_ENDPOINT' is missing: ")
