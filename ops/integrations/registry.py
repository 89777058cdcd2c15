"""Push archives to an S3-compatible store, and pull them on other machines.

    python -m ops.integrations.registry push 1.1
    python -m ops.integrations.registry pull 1.1

The store has a complete object or none. Its metadata has the SHA-256, which a pull verifies. Push and pull resume
after an interruption. They need only objects, metadata, ranges and multipart uploads, which every S3 server has.
"""

import argparse
import hashlib
import shutil
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from dotenv import load_dotenv

import settings
from ops import proxies
from ops.errors import OpsError, run_cli
from ops.files import digest
from ops.system import ROOT, System
from ops.versions.state import archive_name, refuse_wrong_version

PART_BYTES = 8 * 2**20  # S3 takes parts of 5 MiB and more
NEVER_OVERWRITTEN = "a version is never overwritten: choose another VERSION"
DIGEST = "sha256"  # a key of the object's metadata


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
        if _head(client.head_bucket, Bucket=store.bucket) is None:
            client.create_bucket(Bucket=store.bucket)
        return store

    def head(self, key: str) -> dict[str, Any] | None:
        """An object's length and metadata; None if it does not exist."""
        return _head(self.client.head_object, Bucket=self.bucket, Key=key)


def push(store: Store, archive: Path) -> str:
    """Upload an archive, or resume its upload, and return a message with the result.

    Raises OpsError if the store has the version with different content, and the errors of boto3.
    """
    key, size, checksum = archive.name, archive.stat().st_size, digest(archive)
    if there := store.head(key):
        if there["Metadata"].get(DIGEST) != checksum:
            raise OpsError(f"{key} in the store has different content; {NEVER_OVERWRITTEN}")
        return f"{key} is already in the store"
    _push_in_parts(store, archive, checksum)
    there = store.head(key)
    if there is None or there["ContentLength"] != size:
        raise OpsError(f"{key} was not uploaded completely; run make push again")
    return f"{key} is pushed, {size:,} bytes, SHA-256 {checksum}"


def _push_in_parts(store: Store, archive: Path, checksum: str) -> None:
    """Upload the parts that the store lacks, then create the object. boto3's own transfer cannot resume."""
    upload, there = _find_or_start_upload(store, archive, checksum)
    for number, content in _parts(archive):
        if number not in there:
            there[number] = store.client.upload_part(
                **upload,
                PartNumber=number,
                Body=content,
                ContentMD5=b64encode(_md5(content).digest()).decode(),
            )["ETag"]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(there.items())]
    store.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def _find_or_start_upload(
    store: Store, archive: Path, checksum: str
) -> tuple[dict[str, str], dict[int, str]]:
    """An interrupted upload of the same content with its parts (ETag by number), or a new upload."""
    there = {"Bucket": store.bucket, "Key": archive.name}
    begun = store.client.list_multipart_uploads(Bucket=store.bucket, Prefix=archive.name).get("Uploads", [])
    own = {number: f'"{_md5(content).hexdigest()}"' for number, content in _parts(archive)} if begun else {}
    for upload in (there | {"UploadId": each["UploadId"]} for each in begun if each["Key"] == archive.name):
        parts = {
            part["PartNumber"]: part["ETag"] for part in store.client.list_parts(**upload).get("Parts", [])
        }
        if parts.items() <= own.items():
            return upload, parts
        store.client.abort_multipart_upload(**upload)
    answer = store.client.create_multipart_upload(**there, Metadata={DIGEST: checksum})
    return there | {"UploadId": answer["UploadId"]}, {}


def _parts(archive: Path) -> Iterator[tuple[int, bytes]]:
    with archive.open("rb") as file:
        yield from enumerate(iter(partial(file.read, PART_BYTES), b""), 1)


def pull(store: Store, version: str, model_store: Path) -> str:
    """Download an archive, or resume its download, and return a message with the result.

    Raises OpsError if it is missing, damaged or here with different content, and the errors of boto3.
    """
    archive = model_store / archive_name(version)
    there = store.head(archive.name)
    if there is None:
        raise OpsError(f"{archive.name} is not in the store. Push it first: make push VERSION={version}")
    checksum = there["Metadata"].get(DIGEST)
    if checksum is None:
        raise OpsError(f"{archive.name} in the store has no checksum: it was not uploaded by make push")
    if archive.exists():
        if digest(archive) != checksum:
            raise OpsError(f"{archive} differs from the store's; {NEVER_OVERWRITTEN}")
        return f"{archive} is already here"
    model_store.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".unfinished")
    _download(store, archive.name, there["ContentLength"], unfinished)
    if digest(unfinished) != checksum:
        unfinished.unlink()
        raise OpsError(f"{archive.name} is damaged in the store: wrong checksum. The download was deleted")
    unfinished.rename(archive)
    return f"{archive} is pulled, {there['ContentLength']:,} bytes, SHA-256 {checksum}"


def _download(store: Store, key: str, length: int, unfinished: Path) -> None:
    begun = unfinished.stat().st_size if unfinished.exists() else 0
    if begun == length:
        return
    if begun > length:
        unfinished.unlink()
        begun = 0
    body = store.client.get_object(Bucket=store.bucket, Key=key, Range=f"bytes={begun}-")["Body"]
    with unfinished.open("ab") as file:
        shutil.copyfileobj(body, file)


def _md5(content: bytes) -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)


def _head(ask: Any, **what: str) -> dict[str, Any] | None:
    """The answer to a request; None if the store does not have what it asks for."""
    try:
        return dict(ask(**what))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Push archives to an S3-compatible store, and pull them.")
    parser.add_argument("command", choices=["push", "pull"])
    parser.add_argument("version")
    options = parser.parse_args(arguments)
    load_dotenv(ROOT / ".env")  # the environment has priority
    system = System.running_or_configured()
    try:
        return run_cli(lambda: print(_run(options.command, options.version, system.model_store)))
    except (BotoCoreError, ClientError, OSError) as error:
        print(f"The S3 store at {settings.S3_ENDPOINT.read()} failed: {error}", file=sys.stderr)
        return 1


def _run(command: str, version: str, model_store: Path) -> str:
    refuse_wrong_version(version, f"{command} VERSION=1.1")
    archive = model_store / archive_name(version)
    if command == "push":
        if not archive.is_file():
            raise OpsError(f"There is no {archive}. Make it first: make archive VERSION={version}")
        return push(Store.from_settings(), archive)
    return pull(Store.from_settings(), version, model_store)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
