"""A model that answers over real HTTP, and an outbox on a real disk."""

import base64
import math
import threading
import time
import uuid
from http.server import ThreadingHTTPServer

import pytest

from fixtures.http_server import Handler, serving
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


class FakeModel(ThreadingHTTPServer):
    """Answers every request with `status` and `content`, and records the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _ModelHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.content = ANSWER
        self.requests = []
        self.delay_s = 0.0
        # Until it is set, requests wait, as in TorchServe without a worker.
        self.answering = threading.Event()
        self.answering.set()


class _ModelHandler(Handler):
    protocol_version = "HTTP/1.1"
    server: FakeModel

    def do_POST(self):
        model = self.server
        model.requests.append((self.path, dict(self.headers), self.read_body()))
        time.sleep(model.delay_s)
        model.answering.wait()
        if isinstance(model.content, bytes):
            self.answer(model.status, model.content)
        else:
            self.answer_json(model.status, model.content)


@pytest.fixture
def fake_model():
    with serving(FakeModel()) as model:
        yield model
        model.answering.set()


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
