"""The controller's calls to TorchServe, against a small server with the same management API."""

import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from ops.versions import reconcile
from ops.versions.management import Management
from ops.versions.reconcile import DRAIN_S, NotUpError, Reconciler
from ops.versions.state import Versions
from ops.versions.workers_output import WorkersOutput

WORKERS = 2
# Lines in the format of ops/torchserve-log4j2.xml, with thread and worker's text, and a line of the JVM.
OUTPUT = [
    b"WARNING: the JVM's own\n",
    *(
        json.dumps({"time": "", "level": "info", "message": text, "thread": thread}).encode() + b"\n"
        for thread, text in [
            ("W-9004-mnist_1.1-stdout", "model_name: mnist, batchSize: 8"),
            ("W-9004-mnist_1.1-stdout", "Traceback (most recent call last):"),
            ("W-9005-mnist_1.1-stdout", "Traceback (most recent call last):"),
            ("W-9004-mnist_1.1-stdout", '  File "handler.py", line 44, in initialize'),
            ("W-9001-mnist_1.0-stderr", "Not of this version, and no traceback"),
            ("W-9004-mnist_1.1-stdout", '    raise RuntimeError("no")'),
            ("W-9004-mnist_1.1-stdout", "RuntimeError: no weights"),
            ("W-9005-mnist_1.1-stdout", "ValueError: what came of it"),
        ]
    ),
]


@dataclass
class Api:
    """TorchServe's registered versions, the received calls, and the faults to simulate."""

    workers: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    default: str | None = None
    broken: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    last_pid: int = 10_000_000  # above Linux's largest process id

    def done(self) -> list[str]:
        """What it was asked to do since this was last asked."""
        calls, self.calls = self.calls, []
        return calls

    def describe(self, version: str) -> dict:
        count = self.workers[version]
        if version in self.broken:  # TorchServe restarts a failing worker
            self.last_pid += 1
        state = "UNLOADING" if version in self.broken | self.hanging else "READY"
        return {
            "modelVersion": version,
            "minWorkers": count,
            "workers": [
                {"id": str(9000 + place), "pid": self.last_pid, "status": state} for place in range(count)
            ],
            "jobQueueStatus": {"pendingRequests": self.pending.get(version, 0)},
        }


class _Handler(BaseHTTPRequestHandler):
    api: Api

    def do_GET(self):
        if not self.api.workers:
            return self._answer(404, {"code": 404, "type": "ModelNotFoundException", "message": "no mnist"})
        wanted = self.api.workers if self.path.endswith("/all") else [self.api.default]
        return self._answer(200, [self.api.describe(version) for version in wanted])

    def do_POST(self):
        archive = parse_qs(urlparse(self.path).query)["url"][0]
        version = archive.removeprefix("mnist-").removesuffix(".mar")
        self.api.calls.append(f"register {version}")
        if version in self.api.damaged:
            return self._answer(500, {"code": 500, "type": "Internal", "message": "no\n  archive"})
        self.api.workers[version] = WORKERS
        self.api.default = self.api.default or version
        return self._answer(202, {"status": "Processing worker updates..."})

    def do_PUT(self):
        path = urlparse(self.path)
        version = path.path.split("/")[3]
        if path.path.endswith("/set-default"):
            self.api.calls.append(f"default {version}")
            self.api.default = version
        else:
            count = int(parse_qs(path.query)["min_worker"][0])
            self.api.calls.append(f"scale {version} {count}")
            self.api.workers[version] = count
        return self._answer(200, {"status": "done"})

    def do_DELETE(self):
        version = self.path.split("/")[3]
        self.api.calls.append(f"unregister {version}")
        if self.api.workers.pop(version, None) is None:
            return self._answer(404, {"code": 404, "type": "ModelVersionNotFound", "message": "none"})
        return self._answer(200, {"status": "gone"})

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def reconciler(api: Api, clock: Clock, tmp_path, monkeypatch) -> Iterator[Reconciler]:
    monkeypatch.setattr(reconcile.os, "kill", lambda pid, number: api.calls.append(f"kill {pid} {number:d}"))
    monkeypatch.setattr(reconcile, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(reconcile, "EXIT_REASON_TIMEOUT_S", 0.2)
    handler = type("Handler", (_Handler,), {"api": api})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        management = Management(f"http://127.0.0.1:{server.server_port}")
        yield Reconciler(management, WorkersOutput(OUTPUT), tmp_path / "rejected.json", 10.0, clock)
        server.shutdown()
        thread.join()


def _without_kills(api: Api) -> list[str]:
    return [call for call in api.done() if not call.startswith("kill")]


def test_the_default_is_registered_in_an_empty_torchserve(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    assert api.done() == ["register 1.0"]
    assert api.default == "1.0"


def test_a_reconciled_state_causes_no_call(api, reconciler, clock):
    for _ in range(2):
        reconciler.reconcile(Versions("1.1", previous="1.0", split={"1.2": 0.1}))
        clock.seconds += 2 * DRAIN_S
    api.done()
    reconciler.reconcile(Versions("1.1", previous="1.0", split={"1.2": 0.1}))
    assert api.done() == []


def test_after_a_crash_the_default_comes_first(api, reconciler):
    reconciler.reconcile(Versions("1.2", previous="1.1", split={"1.0": 0.1}))
    assert api.done() == ["register 1.2", "register 1.0", "register 1.1", "scale 1.1 1"]
    assert api.default == "1.2"


def test_a_new_default_is_registered_before_it_becomes_the_default(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == ["register 1.0", "register 1.1", "default 1.1"]


def test_a_default_that_cannot_be_registered_never_becomes_the_default(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    for way_to_fail, why in ((api.damaged, "no archive"), (api.broken, "its workers exit while they start")):
        way_to_fail.add("1.1")
        with pytest.raises(NotUpError, match=f"^{why}$"):
            reconciler.reconcile(Versions("1.1", previous="1.0"))
        way_to_fail.clear()
    assert api.default == "1.0"
    assert "1.1" not in api.workers


def test_the_drained_previous_version_keeps_one_worker(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    api.done()
    clock.seconds += DRAIN_S - 0.1
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == []
    clock.seconds += 0.2
    api.pending["1.0"] = 1
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == []
    api.pending["1.0"] = 0
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == ["scale 1.0 1"]


def test_a_rollback_restores_all_workers(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    clock.seconds += DRAIN_S
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    api.done()
    reconciler.reconcile(Versions("1.0", previous="1.1"))
    assert api.done() == ["default 1.0", "scale 1.0 2"]


def test_an_unwanted_version_is_unregistered_after_its_drain(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0", split={"1.1": 0.1}))
    reconciler.reconcile(Versions("1.0"))
    assert api.done() == ["register 1.0", "register 1.1"]
    clock.seconds += DRAIN_S
    reconciler.reconcile(Versions("1.0"))
    assert api.done() == ["unregister 1.1"]


def test_a_failed_canary_does_not_affect_other_versions(api, reconciler):
    api.broken.add("1.1")
    for _ in range(2):
        reconciler.reconcile(Versions("1.0", split={"1.1": 0.1}))
    assert _without_kills(api) == ["register 1.0", "register 1.1", "unregister 1.1"]


def test_a_failed_candidate_is_reported_and_not_retried(api, reconciler, monkeypatch):
    api.broken.add("1.1")
    with monkeypatch.context() as patch:
        # The workers' output arrives after the report of their exit.
        patch.setattr(reconcile, "EXIT_REASON_TIMEOUT_S", 60.0)
        patch.setattr(
            reconciler.output, "reset", lambda _: threading.Timer(0.3, reconciler.output.run).start()
        )
        for _ in range(2):
            reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert json.loads(reconciler.report.read_text()) == {"1.1": "RuntimeError: no weights"}
    assert _without_kills(api) == ["register 1.0", "register 1.1", "unregister 1.1"]
    api.broken.clear()
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert api.done() == ["register 1.1"]


def test_a_failed_previous_version_is_retried_as_a_candidate(api, reconciler):
    api.broken.add("1.0")
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert _without_kills(api) == ["register 1.1", "register 1.0", "unregister 1.0"]
    api.broken.clear()
    reconciler.reconcile(Versions("1.1", previous="1.0", candidate="1.0"))
    assert api.done()[0] == "register 1.0"
    assert "1.0" in api.workers


def test_at_most_three_versions_are_registered(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    reconciler.reconcile(Versions("1.2", previous="1.1"))
    api.done()
    reconciler.reconcile(Versions("1.2", previous="1.1", candidate="1.3"))
    assert api.done() == []
    clock.seconds += DRAIN_S
    reconciler.reconcile(Versions("1.2", previous="1.1", candidate="1.3"))
    assert api.done() == ["unregister 1.0", "register 1.3", "scale 1.1 1"]


def test_hanging_workers_are_killed_before_unregistration(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    reconciler.up_within_s = 0.2
    api.hanging.add("1.1")
    reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert json.loads(reconciler.report.read_text()) == {"1.1": "its workers were not ready within 0.2 s"}
    killed = [f"kill {api.last_pid} {signal.SIGKILL:d}"] * WORKERS
    assert api.done() == ["register 1.0", "register 1.1", *killed, "unregister 1.1"]
