"""A model that answers over real HTTP, and an outbox on a real disk."""

import base64
import json
import math
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ui.acts import PNG
from ui.model_client import ModelClient
from ui.outbox import Outbox

ANSWER = {
    "digit": 7,
    "confidence": 0.91,
    "probabilities": [0.01] * 7 + [0.91] + [0.01] * 2,
    "is_digit": True,
    "digit_score": 0.9,
    "model_version": "1.0",
    "input": base64.b64encode(bytes(28 * 28)).decode(),
}


class FakeModel:
    """Answers every request with `status` and `content`, and records the requests."""

    def __init__(self):
        self.status = 200
        self.content = ANSWER
        self.requests = []
        self.delay_s = 0.0
        self.answering = (
            threading.Event()
        )  # until it is set, requests wait, as in TorchServe without a worker
        self.answering.set()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                model.requests.append((self.path, dict(self.headers), body))
                time.sleep(model.delay_s)
                model.answering.wait()
                answer = (
                    model.content if isinstance(model.content, bytes) else json.dumps(model.content).encode()
                )
                self.send_response(model.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self.answering.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


@pytest.fixture
def fake_model():
    model = FakeModel()
    yield model
    model.stop()


@pytest.fixture
def client(fake_model):
    client = ModelClient(fake_model.url)
    yield client
    client.close()


@pytest.fixture
def outbox(tmp_path):
    outbox = Outbox(tmp_path / "outbox" / "outbox.sqlite3")
    yield outbox
    outbox.close()


class Clock:
    """A clock that tests set."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Canvas:
    """The state and messages of pad.js. Sends nothing while `session` is None."""

    def __init__(self, session=None):
        self.session = session
        self.acts = []
        self.shown = ""
        self._number = 0
        self._begin()

    def show(self, picture):
        """Show a picture after a stroke or an undo; None for a blank canvas."""
        self._show(picture)
        self.send()

    def _show(self, picture):
        self._revision += 1
        self._is_blank = picture is None
        self.acts = [act for act in self.acts if act["drawing"] != self.drawing]
        self.shown = self.drawing
        data = PNG + base64.b64encode(picture).decode() if picture is not None else None
        self._act(drawing=self.drawing, revision=self._revision, picture=data)

    def clear(self):
        self._show(None)
        self._begin()
        self.send()

    def label(self, digit):
        if self.shown:
            self._act(label=digit, drawing=self.shown)
            self._begin()
            self.send()

    @property
    def message(self):
        """The acts, each with its age in milliseconds."""
        now = time.monotonic()
        return [{**act, "ago": math.ceil(1000 * (now - act["at"]))} for act in self.acts]

    def send(self):
        """Send the unconfirmed acts and receive the confirmation."""
        if self.session:
            self.session.take(self.message)
            self.receive(self.session.done, self.session.shown, self.session.drawing.closed)

    def receive(self, done, shown, closed):
        """Receive the number of the last confirmed act and the drawing of the answer."""
        self.acts = [act for act in self.acts if act["number"] > done or act["drawing"] == self.drawing]
        if all(act["number"] <= done for act in self.acts):
            self.shown = shown
            if not self._is_blank and (shown != self.drawing or closed):
                self._begin()

    def _begin(self):
        self.drawing = uuid.uuid4().hex
        self._revision = 0
        self._is_blank = True

    def _act(self, **what):
        self._number += 1
        self.acts.append({"number": self._number, "at": time.monotonic(), **what})
