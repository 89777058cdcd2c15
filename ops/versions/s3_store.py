"""The desired state of several machines in an S3 store, with the reports of their TorchServe replicas.

versions.json          the desired state, as in ops/versions/state.py
versions.lock          the lease of the command that changes the state, renewed every 5 s; it expires after 20 s
replicas/NAME.json     the last report of a replica

Only conditional writes change the first two: PutObject with If-Match or If-None-Match, which AWS S3 and SeaweedFS 4.17
and later apply atomically. Ages come from the store's own clock, because the clocks of the machines may differ.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import settings
from ops import lock
from ops.errors import OpsError
from ops.integrations.registry import Store, pull, push, translate_errors
from ops.system import System
from ops.versions.report import AWAY_AFTER_S, Report
from ops.versions.state import CHANGED, RELEASED, Versions, archive_name

STATE, LOCK, REPLICAS = "versions.json", "versions.lock", "replicas/"
RENEW_EVERY_S = 5.0
FREE = "free"
HOLDER = f"{socket.gethostname()} process {os.getpid()}"
# A replica in a container has a new name after a restart, so nobody renews the report under its old name.
FORGET_AFTER_S = 3600.0
# PutObject's refusals: the condition is false, another write was first, If-Match without an object.
CONDITION_FAILED = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND)
PULL_PATIENCE_S = 600.0


class Found(NamedTuple):
    """An object: content, ETag, and seconds since it was written."""

    content: bytes
    etag: str
    age_s: float


class S3Store:
    """A store of several machines (VersionsStore). The first call creates a missing bucket."""

    poll_s = 0.5

    def __init__(self, system: System) -> None:
        self._model_store = system.model_store
        self._etag: str | None = None  # of the state that was read or written last
        self._replica = settings.REPLICA_NAME.read() or socket.gethostname()
        self._report_key = f"{REPLICAS}{self._replica}.json"

    @cached_property
    def _store(self) -> Store:
        return Store.from_settings()

    def read(self) -> Versions:
        found = self._get(STATE)
        self._etag = found and found.etag
        if found is None:
            return Versions(default=RELEASED)
        return Versions.parse_file(found.content, f"s3://{self._store.bucket}/{STATE}")

    def write(self, versions: Versions) -> None:
        content = versions.to_json()
        etag = self._put(STATE, content, self._etag)
        if etag is None:  # also after a lost answer to the same write, which boto3 repeated
            found = self._get(STATE)
            if found is None or found.content != content.encode():
                raise OpsError(CHANGED)
            etag = found.etag
        self._etag = etag

    @contextmanager
    def lock(self, refusal: str) -> Iterator[None]:
        lease = self._get(LOCK)
        etag = None if lease and _is_held(lease) else self._put(LOCK, HOLDER, lease and lease.etag)
        if etag is None:
            raise OpsError(refusal)
        ended = threading.Event()
        renewal = threading.Thread(target=self._renew_lease, args=(etag, ended))
        renewal.start()
        try:
            yield
        finally:
            ended.set()
            renewal.join()

    def _renew_lease(self, etag: str | None, ended: threading.Event) -> None:
        """Renew the lease until the command has ended, then free it; while the store is unavailable, it expires."""
        while etag and not ended.wait(RENEW_EVERY_S):
            with contextlib.suppress(OpsError):
                etag = self._put(LOCK, HOLDER, etag)
        with contextlib.suppress(OpsError):
            if etag:
                self._put(LOCK, FREE, etag)

    def is_locked(self) -> bool:
        lease = self._get(LOCK)
        return lease is not None and _is_held(lease)

    @translate_errors()
    def reports(self) -> list[Report]:
        listed = self._store.client.list_objects_v2(Bucket=self._store.bucket, Prefix=REPLICAS)
        reports = []
        for item in listed.get("Contents", []):
            if _age_s(listed, item) < FORGET_AFTER_S and (found := self._get(item["Key"])):
                with contextlib.suppress(ValueError):  # of another release
                    reports.append(replace(Report.parse(found.content), age_s=found.age_s))
        return reports

    @translate_errors()
    def report(self, report: Report) -> None:
        content = replace(report, replica=self._replica).to_json()
        self._store.client.put_object(Bucket=self._store.bucket, Key=self._report_key, Body=content)

    @translate_errors()
    def forget(self) -> None:
        """Delete the report of this replica, which stops."""
        self._store.client.delete_object(Bucket=self._store.bucket, Key=self._report_key)

    @translate_errors()
    def fetch(self, version: str) -> None:
        archive = self._model_store / archive_name(version)
        # Replicas on one machine may share the model store.
        with lock.hold(self._model_store / ".pull.lock", f"{archive} is being pulled", PULL_PATIENCE_S):
            if not archive.exists() or self._store.head(archive.name):
                pull(self._store, version, self._model_store)

    @translate_errors()
    def share(self, archive: Path) -> None:
        push(self._store, archive)

    @translate_errors()
    def _get(self, key: str) -> Found | None:
        answer = self._store.request("get_object", Key=key)
        return Found(answer["Body"].read(), answer["ETag"], _age_s(answer, answer)) if answer else None

    @translate_errors()
    def _put(self, key: str, content: str, replaces: str | None) -> str | None:
        """Write an object if its ETag is `replaces` (None: if there is none) and return the new ETag, else None."""
        condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        answer = self._store.request(
            "put_object", CONDITION_FAILED, Key=key, Body=content.encode(), **condition
        )
        return str(answer["ETag"]) if answer else None


def _is_held(lease: Found) -> bool:
    return lease.age_s <= AWAY_AFTER_S and lease.content != FREE.encode()


def _age_s(answer: dict[str, Any], item: dict[str, Any]) -> float:
    """Seconds since an object was written, by the clock of the store that answers."""
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return float((now - item["LastModified"]).total_seconds())
