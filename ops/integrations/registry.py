"""Push archives to an S3-compatible store, and pull them on other machines.

    python -m ops.integrations.registry push 1.1
    python -m ops.integrations.registry pull 1.1

The store has a complete object or none. Its metadata has the SHA-256, which a pull verifies. Push and pull resume
after an interruption. They need only objects, metadata, ranges and multipart uploads, which every S3 server has.
"""

import argparse
import base64
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from dotenv import load_dotenv

import settings
from ops import proxies
from ops.errors import OpsError, UsageError, run_cli
from ops.system import ROOT, System
from ops.versions.state import VERSION_FORM, archive_name

PART_BYTES = 8 * 2**20  # S3 takes parts of 5 MiB and more
BLOCK_BYTES = 2**20
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
    key, digest = archive.name, _digest(archive)
    there = store.head(key)
    if there is not None:
        if there["Metadata"].get(DIGEST) != digest:
            raise OpsError(
                f"{key} in the store has different content; a version is never overwritten: choose another VERSION"
            )
        return f"{key} is already in the store"
    if archive.stat().st_size <= PART_BYTES:
        content = archive.read_bytes()
        store.client.put_object(
            Bucket=store.bucket,
            Key=key,
            Body=content,
            ContentMD5=_md5(content),
            Metadata={DIGEST: digest},
        )
    else:
        _push_in_parts(store, archive, digest)
    there = store.head(key)
    if there is None or there["ContentLength"] != archive.stat().st_size:
        raise OpsError(f"{key} was not uploaded completely; run make push again")
    return f"{key} is pushed, {archive.stat().st_size:,} bytes, SHA-256 {digest}"


def _push_in_parts(store: Store, archive: Path, digest: str) -> None:
    upload, there = _find_or_start_upload(store, archive, digest)
    parts = []
    for number, content in _parts(archive):
        etag = there.get(number)
        if etag is None:
            answer = store.client.upload_part(
                Bucket=store.bucket,
                Key=archive.name,
                UploadId=upload,
                PartNumber=number,
                Body=content,
                ContentMD5=_md5(content),
            )
            etag = answer["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    # Only this call creates the object.
    store.client.complete_multipart_upload(
        Bucket=store.bucket, Key=archive.name, UploadId=upload, MultipartUpload={"Parts": parts}
    )


def _find_or_start_upload(store: Store, archive: Path, digest: str) -> tuple[str, dict[int, str]]:
    """An interrupted upload of the same content with its parts (ETag by number), or a new upload."""
    begun = store.client.list_multipart_uploads(Bucket=store.bucket, Prefix=archive.name).get("Uploads", [])
    own = {
        number: f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        for number, content in _parts(archive)
    }
    for upload in (found["UploadId"] for found in begun if found["Key"] == archive.name):
        listed = store.client.list_parts(Bucket=store.bucket, Key=archive.name, UploadId=upload).get(
            "Parts", []
        )
        there = {part["PartNumber"]: part["ETag"] for part in listed}
        if there.items() <= own.items():
            return upload, there
        store.client.abort_multipart_upload(Bucket=store.bucket, Key=archive.name, UploadId=upload)
    answer = store.client.create_multipart_upload(
        Bucket=store.bucket, Key=archive.name, Metadata={DIGEST: digest}
    )
    return str(answer["UploadId"]), {}


def _parts(archive: Path) -> Iterator[tuple[int, bytes]]:
    with archive.open("rb") as file:
        number = 0
        while content := file.read(PART_BYTES):
            number += 1
            yield number, content


def pull(store: Store, version: str, model_store: Path) -> str:
    """Download an archive, or resume its download, and return a message with the result.

    Raises OpsError if it is missing, damaged or here with different content, and the errors of boto3.
    """
    archive = model_store / archive_name(version)
    there = store.head(archive.name)
    if there is None:
        raise OpsError(f"{archive.name} is not in the store. Push it first: make push VERSION={version}")
    digest = there["Metadata"].get(DIGEST)
    if digest is None:
        raise OpsError(f"{archive.name} in the store has no checksum: it was not uploaded by make push")
    if archive.exists():
        if _digest(archive) != digest:
            raise OpsError(
                f"{archive} differs from the store's; a version is never overwritten: choose another VERSION"
            )
        return f"{archive} is already here"
    model_store.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".unfinished")
    _download(store, archive.name, there["ContentLength"], unfinished)
    if _digest(unfinished) != digest:
        unfinished.unlink()
        raise OpsError(f"{archive.name} is damaged in the store: wrong checksum. The download was deleted")
    unfinished.rename(archive)
    return f"{archive} is pulled, {there['ContentLength']:,} bytes, SHA-256 {digest}"


def _download(store: Store, key: str, length: int, unfinished: Path) -> None:
    begun = unfinished.stat().st_size if unfinished.exists() else 0
    if begun > length:
        unfinished.unlink()
        begun = 0
    if begun == length:
        return
    body = store.client.get_object(Bucket=store.bucket, Key=key, Range=f"bytes={begun}-")["Body"]
    with unfinished.open("ab") as file:
        for block in body.iter_chunks(BLOCK_BYTES):
            file.write(block)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode("ascii")


def _head(ask: Any, **what: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = ask(**what)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise
    return found


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
    if not VERSION_FORM.fullmatch(version):
        missing = f"VERSION '{version}' is not a version" if version else "VERSION is missing"
        raise UsageError(f"{missing}, for example: make {command} VERSION=1.1")
    archive = model_store / archive_name(version)
    if command == "push":
        if not archive.is_file():
            raise OpsError(f"There is no {archive}. Make it first: make archive VERSION={version}")
        return push(Store.from_settings(), archive)
    return pull(Store.from_settings(), version, model_store)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
