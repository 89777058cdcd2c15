"""A small server with the management API of TorchServe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from fixtures.http_server import Handler, serving

WORKERS = 2


@dataclass
class Api:
    """TorchServe's registered versions, the received calls, and the faults to simulate."""

    workers: dict[str, int] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    default: str | None = None
    broken: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    checked: list[tuple[str, str]] = field(default_factory=list)
    stuck: bool = False  # the default does not change
    calls: list[str] = field(default_factory=list)
    last_pid: int = 10_000_000  # above Linux's largest process id

    def done(self) -> list[str]:
        """The calls since the last call of this method."""
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


class _Handler(Handler):
    api: Api

    def do_GET(self):
        if not self.api.workers:
            error = {"code": 404, "type": "ModelNotFoundException", "message": "no mnist"}
            return self.answer_json(404, error)
        wanted = self.api.workers if self.path.endswith("/all") else [self.api.default]
        return self.answer_json(200, [self.api.describe(version) for version in wanted])

    def do_POST(self):
        archive = parse_qs(urlparse(self.path).query)["url"][0]
        version = archive.removeprefix("mnist-").removesuffix(".mar")
        self.api.calls.append(f"register {version}")
        if version in self.api.damaged:
            return self.answer_json(500, {"code": 500, "type": "Internal", "message": "no\n  archive"})
        self.api.workers[version] = WORKERS
        self.api.default = self.api.default or version
        return self.answer_json(202, {"status": "Processing worker updates..."})

    def do_PUT(self):
        path = urlparse(self.path)
        version = path.path.split("/")[3]
        if path.path.endswith("/set-default"):
            self.api.calls.append(f"default {version}")
            if self.api.stuck:
                return self.answer_json(500, {"code": 500, "type": "Internal", "message": "stuck"})
            self.api.default = version
        else:
            count = int(parse_qs(path.query)["min_worker"][0])
            self.api.calls.append(f"scale {version} {count}")
            self.api.workers[version] = count
        return self.answer_json(200, {"status": "done"})

    def do_DELETE(self):
        version = self.path.split("/")[3]
        self.api.calls.append(f"unregister {version}")
        if self.api.workers.pop(version, None) is None:
            return self.answer_json(404, {"code": 404, "type": "ModelVersionNotFound", "message": "none"})
        return self.answer_json(200, {"status": "gone"})


@contextmanager
def serve(api: Api) -> Iterator[str]:
    """Run the server, and yield its address."""
    handler = type("ApiHandler", (_Handler,), {"api": api})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"
