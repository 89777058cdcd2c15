"""The reconciler against a small server that answers as TorchServe's management API does."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
import requests

from ops.torchserve import Management, reconcile
from ops.versions import Versions


class _ManagementApi(BaseHTTPRequestHandler):
    versions: list[str]
    default: str | None
    broken: set[str]
    calls: list[str]

    def do_GET(self):
        if not self.versions:
            return self._answer(404, {"code": 404, "type": "ModelNotFoundException", "message": "no mnist"})
        wanted = self.versions if self.path.endswith("/all") else [self.default]
        return self._answer(200, [{"modelVersion": version} for version in wanted])

    def do_POST(self):
        archive = parse_qs(urlparse(self.path).query)["url"][0]
        version = archive.removeprefix("mnist-").removesuffix(".mar")
        self.calls.append(f"register {version}")
        if version in self.broken:
            return self._answer(
                500, {"code": 500, "type": "InternalServerException", "message": "no workers"}
            )
        self.versions.append(version)
        type(self).default = self.default or version
        return self._answer(200, {"status": "registered"})

    def do_PUT(self):
        type(self).default = self.path.split("/")[3]
        self.calls.append(f"default {self.default}")
        return self._answer(200, {"status": "default set"})

    def _answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def api():
    handler = type("Api", (_ManagementApi,), {"versions": [], "default": None, "broken": set(), "calls": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    handler.management = Management(server.server_port)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()
    handler.management.close()


def test_an_empty_torchserve_gets_the_default_version(api):
    reconcile(api.management, Versions("1.0"))
    assert api.calls == ["register 1.0"]
    assert api.management.default() == "1.0"


def test_what_holds_already_is_left_alone(api):
    reconcile(api.management, Versions("1.0"))
    api.calls.clear()
    reconcile(api.management, Versions("1.0"))
    assert api.calls == []


def test_a_new_default_is_registered_before_it_becomes_the_default(api):
    reconcile(api.management, Versions("1.0"))
    reconcile(api.management, Versions("1.1", previous="1.0"))
    assert api.calls == ["register 1.0", "register 1.1", "default 1.1"]


def test_a_version_that_cannot_be_registered_never_becomes_the_default(api):
    reconcile(api.management, Versions("1.0"))
    api.broken.add("1.1")
    with pytest.raises(requests.HTTPError):
        reconcile(api.management, Versions("1.1", previous="1.0"))
    assert api.management.default() == "1.0"
