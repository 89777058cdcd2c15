"""Push archives and labelled drawings to an S3-compatible store, and pull them on other machines.

    python -m ops.integrations.registry push 1.1
    python -m ops.integrations.registry pull 1.1
    python -m ops.integrations.registry push-labels var/labels/2026-11-01_2026-12-01_500-drawings.zip
    python -m ops.integrations.registry pull-labels NAME  # without NAME: list the names

An object in the store is complete. Its metadata contains its SHA-256, which a pull verifies. Push and pull resume after
an interruption. They need only objects, metadata, ranges and multipart uploads, which every S3 server has.
"""

import argparse
import contextlib
import hashlib
import re
import shutil
import sys
from base64 import b64encode
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from dotenv import load_dotenv

import settings
from ops import proxies
from ops.errors import OpsError, UsageError, run_cli
from ops.files import digest
from ops.system import ROOT, System
from ops.versions.state import archive_name, refuse_wrong_version

PART_BYTES = 8 * 2**20  # S3 takes parts of 5 MiB and more
NEVER_OVERWRITTEN = "a version is never overwritten: choose another VERSION"
DIGEST = "sha256"  # a key of the object's metadata
LABELS = "labels/"
LABELS_NAME = re.compile(
    r"(?P<period>\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d)_v(?P<version>\d+)_\d+-drawings_sha256-(?P<checksum>[0-9a-f]{12})\.zip"
)


@dataclass
class Store:
    """A bucket with its S3 client."""

    client: Any
    bucket: str

    @classmethod
    def from_settings(cls) -> "Store":
        """The store of the environment's settings. Creates a missing bucket."""
        endpoint = settings.S3_ENDPOINT.read()
        proxies.bypass(endpoint)
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.S3_REGION.read(),
            aws_access_key_id=settings.S3_ACCESS_KEY.read(),
            aws_secret_access_key=settings.S3_SECRET_KEY.read(),
            config=Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 3},
                s3={"addressing_style": "path"},  # self-hosted servers support only this
                # Some servers know only MD5. The SHA-256 in the metadata is compared in any case.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        store = cls(client, settings.S3_BUCKET.read())
        if store.request("head_bucket") is None:
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):  # another replica was first
                client.create_bucket(Bucket=store.bucket)
        return store

    def request(
        self, operation: str, refusals: Container[int] = (HTTPStatus.NOT_FOUND,), **parameters: Any
    ) -> dict[str, Any] | None:
        """The answer to an operation of boto3's client on the bucket; None if its status is one of `refusals`."""
        try:
            return dict(getattr(self.client, operation)(Bucket=self.bucket, **parameters))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in refusals:
                return None
            raise

    def head(self, key: str) -> dict[str, Any] | None:
        """An object's length and metadata; None if it does not exist."""
        return self.request("head_object", Key=key)

    def list_labels(self) -> dict[str, re.Match[str]]:
        """Period, version and checksum of all labelled drawings, by name in the order of the periods."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=LABELS)
        names = [item["Key"].removeprefix(LABELS) for page in pages for item in page.get("Contents", [])]
        return {name: form for name in names if (form := LABELS_NAME.fullmatch(name))}


def push(store: Store, archive: Path) -> str:
    """Upload an archive, or resume its upload, and return a message with the result.

    Raises OpsError if the store has the version with different content, and the errors of boto3.
    """
    return _push_file(store, archive, archive.name, digest(archive))


def pull(store: Store, version: str, model_store: Path) -> str:
    """Download an archive, or resume its download, and return a message with the result.

    Raises OpsError if it is missing, damaged or here with different content, and the errors of boto3.
    """
    archive = model_store / archive_name(version)
    return _pull_file(store, archive.name, archive, f"make push VERSION={version}")


def push_labels(store: Store, file: Path) -> str:
    """Upload labelled drawings, the file of ops/data/labels.py, and return a message with the result.

    The object's name is period, version, number of drawings and checksum, so other content gets another name. Content
    that the store has keeps its version.
    """
    checksum, (period, _, drawings) = digest(file), file.stem.rpartition("_")
    there = {name: form for name, form in store.list_labels().items() if form["period"] == period}
    version = 1 + max((int(form["version"]) for form in there.values()), default=0)
    new = f"{period}_v{version}_{drawings}_sha256-{checksum[:12]}.zip"
    known = (name for name, form in there.items() if checksum.startswith(form["checksum"]))
    return _push_file(store, file, LABELS + next(known, new), checksum)


def pull_labels(store: Store, name: str, folder: Path) -> str:
    """Download labelled drawings, as `pull` downloads an archive. Raises UsageError for an unknown name, too."""
    there = store.list_labels()
    if name not in there:
        raise UsageError(f"NAME '{name}' is not in the store. To list the names run: make pull-labels")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _pull_file(store, LABELS + name, folder / name, "make push-labels", there[name]["checksum"])


def list_labels(store: Store) -> str:
    """A message with the names for `pull_labels`."""
    names = list(store.list_labels())
    if not names:
        return "The store has no labelled drawings. Push some: make push-labels"
    return "\n".join([*names, f"To fetch one run: make pull-labels NAME={names[-1]}"])


def _push_file(store: Store, file: Path, key: str, checksum: str) -> str:
    name, size = Path(key).name, file.stat().st_size
    if there := store.head(key):
        if there["Metadata"].get(DIGEST) != checksum:
            raise OpsError(f"{name} in the store has different content; {NEVER_OVERWRITTEN}")
        return f"{name} is already in the store"
    _push_in_parts(store, file, key, checksum)
    there = store.head(key)
    if there is None or there["ContentLength"] != size:
        raise OpsError(f"{name} was not uploaded completely; run the same command again")
    return f"{name} is pushed, {size:,} bytes, SHA-256 {checksum}"


def _push_in_parts(store: Store, file: Path, key: str, checksum: str) -> None:
    """Upload the parts that the store lacks, then create the object. boto3's own transfer cannot resume."""
    upload, etags = _find_or_start_upload(store, file, key, checksum)
    for number, content in _read_parts(file):
        if number not in etags:
            md5 = b64encode(_md5(content).digest()).decode()
            answer = store.client.upload_part(**upload, PartNumber=number, Body=content, ContentMD5=md5)
            etags[number] = answer["ETag"]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]
    store.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def _find_or_start_upload(
    store: Store, file: Path, key: str, checksum: str
) -> tuple[dict[str, str], dict[int, str]]:
    """An interrupted upload of the same content with the ETags of its parts by number, or a new upload."""
    target = {"Bucket": store.bucket, "Key": key}
    listed = store.client.list_multipart_uploads(Bucket=store.bucket, Prefix=key).get("Uploads", [])
    ids = [each["UploadId"] for each in listed if each["Key"] == key]
    expected = (
        {number: f'"{_md5(content).hexdigest()}"' for number, content in _read_parts(file)} if ids else {}
    )
    for id_ in ids:
        upload = target | {"UploadId": id_}
        parts = store.client.list_parts(**upload).get("Parts", [])
        etags = {part["PartNumber"]: part["ETag"] for part in parts}
        if etags.items() <= expected.items():
            return upload, etags
        store.client.abort_multipart_upload(**upload)
    answer = store.client.create_multipart_upload(**target, Metadata={DIGEST: checksum})
    return target | {"UploadId": answer["UploadId"]}, {}


def _read_parts(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as opened:
        yield from enumerate(iter(partial(opened.read, PART_BYTES), b""), 1)


def _pull_file(store: Store, key: str, file: Path, push: str, checksum_start: str = "") -> str:
    there = store.head(key)
    if there is None:
        raise OpsError(f"{file.name} is not in the store. Push it first: {push}")
    checksum = there["Metadata"].get(DIGEST)
    if checksum is None:
        raise OpsError(f"{file.name} in the store has no checksum: it was not uploaded by make")
    if file.exists():
        if digest(file) != checksum:
            raise OpsError(f"{file} differs from the store's; {NEVER_OVERWRITTEN}, or delete the file")
        return f"{file} is already here"
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    _download(store, key, there["ContentLength"], unfinished)
    if digest(unfinished) != checksum or not checksum.startswith(checksum_start):
        unfinished.unlink()
        raise OpsError(f"{file.name} is damaged in the store: wrong checksum. The download was deleted")
    unfinished.rename(file)
    return f"{file} is pulled, {there['ContentLength']:,} bytes, SHA-256 {checksum}"


def _download(store: Store, key: str, length: int, unfinished: Path) -> None:
    """Download an object, or the rest of it."""
    present = unfinished.stat().st_size if unfinished.exists() else 0
    if present == length:
        return
    if present > length:  # of another object
        present = 0
    body = store.client.get_object(Bucket=store.bucket, Key=key, Range=f"bytes={present}-")["Body"]
    with unfinished.open("ab" if present else "wb") as file:
        shutil.copyfileobj(body, file)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise OpsError with the store's address for an error of boto3 or of a file."""
    try:
        yield
    except (BotoCoreError, ClientError, OSError) as error:
        raise OpsError(f"The S3 store at {settings.S3_ENDPOINT.read()} failed: {error}") from None


def _md5(content: bytes) -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Push files to an S3-compatible store, and pull them.")
    parser.add_argument("command", choices=["push", "pull", "push-labels", "pull-labels"])
    parser.add_argument("value", help="a version, the file of push-labels, or the name of pull-labels")
    options = parser.parse_args(arguments)
    load_dotenv(ROOT / ".env")  # the environment has priority
    system = System.running_or_configured()
    return run_cli(lambda: print(_run(options.command, options.value, system)))


@translate_errors()
def _run(command: str, value: str, system: System) -> str:
    if command == "push-labels":
        file = Path(value)
        try:
            return push_labels(Store.from_settings(), file)
        finally:
            file.unlink(missing_ok=True)  # `make prune` does not find drawings here
    if command == "pull-labels":
        store = Store.from_settings()
        return pull_labels(store, value, system.labels) if value else list_labels(store)
    refuse_wrong_version(value, f"{command} VERSION=1.1")
    archive = system.model_store / archive_name(value)
    if command == "pull":
        return pull(Store.from_settings(), value, system.model_store)
    if not archive.is_file():
        raise OpsError(f"There is no {archive}. Make it first: make archive VERSION={value}")
    return push(Store.from_settings(), archive)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
