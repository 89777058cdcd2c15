"""Push to and pull from a real S3 server."""

import hashlib
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import OpsError, UsageError
from ops.files import digest
from ops.integrations import registry
from ops.integrations.registry import Store, list_labels, pull, pull_labels, push, push_labels
from ops.versions.state import archive_name
from tests.ops.s3 import SECRET_KEY, bucket_settings
from tests.system.proxy import proxy
from tests.system.running import ROOT


@pytest.fixture
def server(s3_address) -> str:
    """The S3 server; tests with a fixture of this name start a service (tests/conftest.py)."""
    return s3_address


@pytest.fixture
def store(server, monkeypatch) -> Store:
    """A bucket for this test, in the settings."""
    for name, value in bucket_settings(server).items():
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
def other_folder(tmp_path) -> Path:
    """The model store of another machine."""
    return tmp_path / "other"


@pytest.fixture
def labels(tmp_path) -> Path:
    """A file of labelled drawings as ops/data/labels.py names it."""
    made = tmp_path / "2026-11-01_2026-12-01_1234-drawings.zip"
    made.write_bytes(b"drawings" * 2_000_000)
    return made


def _name(labels: Path, version: int) -> str:
    return f"2026-11-01_2026-12-01_v{version}_1234-drawings_sha256-{digest(labels)[:12]}.zip"


@pytest.fixture
def empty_model_store(tmp_path, monkeypatch) -> None:
    """An empty model store for the command."""
    monkeypatch.setenv("MODEL_STORE", str(tmp_path))


def test_a_pull_returns_the_pushed_bytes(store, archive, other_folder):
    assert "is pushed, 1,024,000 bytes, SHA-256 " in push(store, archive)
    assert "is pulled" in pull(store, "7.1", other_folder)
    assert (other_folder / archive.name).read_bytes() == archive.read_bytes()
    assert [path.name for path in other_folder.iterdir()] == [archive.name]
    assert "is already in the store" in push(store, archive)
    assert "is already here" in pull(store, "7.1", other_folder)


def test_a_local_store_is_reached_without_a_proxy(store, archive, monkeypatch):
    with proxy() as outside:
        for name, value in outside.environment.items():
            monkeypatch.setenv(name, value)
        assert "is pushed" in push(Store.from_settings(), archive)
        assert outside.requests == []


def test_a_version_is_never_overwritten(store, archive, other_folder):
    push(store, archive)
    pull(store, "7.1", other_folder)
    archive.write_bytes(b"another")
    with pytest.raises(OpsError, match="in the store has different content; a version is never overwritten"):
        push(store, archive)
    with pytest.raises(OpsError, match="differs from the store's; a version is never overwritten"):
        pull(store, "7.1", archive.parent)


def _interrupt(store, monkeypatch, push, file) -> list[int]:
    """Interrupt a push after its first part; return the numbers of the sent parts, which later pushes extend."""
    monkeypatch.setattr(registry, "PART_BYTES", 5 * 2**20)
    upload_part, sent = store.client.upload_part, []

    def send(**part):
        sent.append(part["PartNumber"])
        return upload_part(**part)

    def send_one(**part):
        if sent:
            raise ConnectionError
        return send(**part)

    monkeypatch.setattr(store.client, "upload_part", send_one)
    with pytest.raises(ConnectionError):
        push(store, file)
    monkeypatch.setattr(store.client, "upload_part", send)
    return sent


def test_an_interrupted_push_is_invisible_and_resumes(store, archive, other_folder, monkeypatch):
    archive.write_bytes(bytes(range(256)) * 50_000)  # three parts
    sent = _interrupt(store, monkeypatch, push, archive)
    assert store.head(archive.name) is None
    with pytest.raises(OpsError, match="not in the store"):
        pull(store, "7.1", other_folder)
    push(store, archive)
    assert sent == [1, 2, 3]  # the first part is not sent again
    pull(store, "7.1", other_folder)
    assert (other_folder / archive.name).read_bytes() == archive.read_bytes()


def test_a_push_does_not_resume_the_upload_of_other_content(store, archive, other_folder, monkeypatch):
    monkeypatch.setattr(registry, "PART_BYTES", 5 * 2**20)
    archive.write_bytes(b"old" * 4_000_000)
    begun = store.client.create_multipart_upload(Bucket=store.bucket, Key=archive.name)["UploadId"]
    store.client.upload_part(
        Bucket=store.bucket, Key=archive.name, UploadId=begun, PartNumber=1, Body=b"x" * 5 * 2**20
    )
    push(store, archive)
    pull(store, "7.1", other_folder)
    assert (other_folder / archive.name).read_bytes() == archive.read_bytes()


def test_an_interrupted_pull_resumes(store, archive, other_folder):
    push(store, archive)
    other_folder.mkdir()
    (other_folder / archive.name).with_suffix(".unfinished").write_bytes(archive.read_bytes()[:300_000])
    pull(store, "7.1", other_folder)
    assert (other_folder / archive.name).read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("length", [300_000, 1_024_000, 2_000_000])
def test_a_damaged_archive_is_refused(store, archive, other_folder, length):
    push(store, archive)
    other_folder.mkdir()
    # An earlier download that the disk damaged.
    (other_folder / archive.name).with_suffix(".unfinished").write_bytes(b"\0" * length)
    if length > archive.stat().st_size:  # longer than the archive: the download starts again
        assert "is pulled" in pull(store, "7.1", other_folder)
        return
    with pytest.raises(OpsError, match="damaged in the store"):
        pull(store, "7.1", other_folder)
    assert list(other_folder.iterdir()) == []


def test_an_object_with_replaced_content_is_rejected(store, archive, other_folder):
    push(store, archive)
    digest = store.head(archive.name)["Metadata"]
    store.client.put_object(Bucket=store.bucket, Key=archive.name, Body=b"other", Metadata=digest)
    with pytest.raises(OpsError, match="damaged in the store"):
        pull(store, "7.1", other_folder)
    store.client.put_object(Bucket=store.bucket, Key=archive.name, Body=b"other")
    with pytest.raises(OpsError, match="has no checksum"):
        pull(store, "7.1", other_folder)
    assert list(other_folder.iterdir()) == []


def test_pushed_labels_are_listed_and_pulled(store, labels, other_folder):
    assert list_labels(store) == "The store has no labelled drawings. Push some: make push-labels"
    name = _name(labels, 1)
    assert push_labels(store, labels).startswith(
        f"{name} is pushed, 16,000,000 bytes, SHA-256 {digest(labels)}"
    )
    assert list_labels(store).splitlines() == [name, f"To fetch one run: make pull-labels NAME={name}"]
    assert f"{other_folder / name} is pulled" in pull_labels(store, name, other_folder)
    assert (other_folder / name).read_bytes() == labels.read_bytes()
    assert [path.name for path in other_folder.iterdir()] == [name]
    assert stat.S_IMODE(other_folder.stat().st_mode) == 0o700
    assert "is already here" in pull_labels(store, name, other_folder)


def test_the_same_labels_keep_their_version_and_others_get_the_next(store, labels):
    names = [_name(labels, 1)]
    push_labels(store, labels)
    assert push_labels(store, labels) == f"{names[0]} is already in the store"
    content = labels.read_bytes()
    labels.write_bytes(b"corrected")
    names.append(_name(labels, 2))
    assert push_labels(store, labels).startswith(f"{names[1]} is pushed")
    labels.write_bytes(content)
    assert push_labels(store, labels) == f"{names[0]} is already in the store"
    other = labels.rename(labels.with_name("2026-10-01_2026-11-01_7-drawings.zip"))
    assert push_labels(store, other).startswith("2026-10-01_2026-11-01_v1_7-drawings_sha256-")
    assert list_labels(store).splitlines()[1:3] == names


def test_an_interrupted_push_of_labels_resumes(store, labels, other_folder, monkeypatch):
    sent = _interrupt(store, monkeypatch, push_labels, labels)  # four parts
    assert list_labels(store).startswith("The store has no labelled drawings")
    push_labels(store, labels)
    assert sent == [1, 2, 3, 4]
    pull_labels(store, _name(labels, 1), other_folder)
    assert (other_folder / _name(labels, 1)).read_bytes() == labels.read_bytes()


def test_an_interrupted_pull_of_labels_resumes(store, labels, other_folder, monkeypatch):
    push_labels(store, labels)
    other_folder.mkdir()
    (other_folder / _name(labels, 1)).with_suffix(".unfinished").write_bytes(labels.read_bytes()[:9_000_000])
    ranges, get_object = [], store.client.get_object
    monkeypatch.setattr(
        store.client, "get_object", lambda **how: ranges.append(how["Range"]) or get_object(**how)
    )
    pull_labels(store, _name(labels, 1), other_folder)
    assert ranges == ["bytes=9000000-"]
    assert (other_folder / _name(labels, 1)).read_bytes() == labels.read_bytes()


def test_damaged_labels_are_refused(store, labels, other_folder):
    push_labels(store, labels)
    name = _name(labels, 1)
    key = {"Bucket": store.bucket, "Key": f"labels/{name}"}
    replaced = hashlib.sha256(b"other").hexdigest()
    # Other content with the old checksum, then with its own, which is not that of the name.
    for checksum in (digest(labels), replaced):
        store.client.put_object(**key, Body=b"other", Metadata={"sha256": checksum})
        with pytest.raises(OpsError, match="damaged in the store: wrong checksum"):
            pull_labels(store, name, other_folder)
        assert list(other_folder.iterdir()) == []


def test_a_pull_does_not_overwrite_local_labels(store, labels, other_folder):
    push_labels(store, labels)
    other_folder.mkdir()
    (other_folder / _name(labels, 1)).write_bytes(b"damaged")
    with pytest.raises(OpsError, match=r"differs from the store's; .+ or delete the file$"):
        pull_labels(store, _name(labels, 1), other_folder)


@pytest.mark.parametrize(
    "name", ["other.zip", "../labels", "2026-11-01_2026-12-01_v1_1234-drawings_sha256-0123456789ab.zip"]
)
def test_labels_that_are_not_in_the_store_are_named(store, other_folder, name):
    store.client.put_object(Bucket=store.bucket, Key="labels/other.zip", Body=b"not by make")
    with pytest.raises(
        UsageError, match=f"^NAME '{name}' is not in the store. To list the names run: make pull-labels$"
    ):
        pull_labels(store, name, other_folder)
    assert not other_folder.exists()


@pytest.mark.parametrize(("key", "status"), [(SECRET_KEY, 0), ("not the right one", 1)])
@pytest.mark.usefixtures("store", "empty_model_store")
def test_a_push_deletes_the_local_file_of_labels(labels, monkeypatch, key, status):
    monkeypatch.setenv("S3_SECRET_KEY", key)
    assert registry.main(["push-labels", str(labels)]) == status
    assert not labels.exists()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("push", ""), 2, "VERSION is missing, for example: make push VERSION=1.1"),
        (("pull", "latest"), 2, "VERSION 'latest' is not a version, for example: make pull VERSION=1.1"),
        (("push", "9.9"), 1, "Make it first: make archive VERSION=9.9"),
        (("pull", "9.9"), 1, "mnist-9.9.mar is not in the store. Push it first: make push VERSION=9.9"),
    ],
)
@pytest.mark.usefixtures("store", "empty_model_store")
def test_a_command_that_cannot_work_prints_one_line(capsys, words, status, message):
    assert registry.main(list(words)) == status
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.usefixtures("store", "empty_model_store")
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
