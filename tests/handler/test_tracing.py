"""A collector receives a span of each request; without a collector there are none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handler.tracing import open_tracing
from tests.otlp import collector

ROOT = Path(__file__).parent.parent.parent
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
# Runs a worker with one batch in a separate process and prints the OpenTelemetry modules that it imported.
WORKER = """
import logging, sys
logging.basicConfig(stream=sys.stdout)
from pathlib import Path
from handler.torchserve_handler import DigitHandler
from tests.handler.test_torchserve_handler import EXPLAIN, PREDICT, Context, image
from training.archive.pack import RELEASED_CHECKPOINT

handler = DigitHandler()
context = Context([PREDICT | {headers}, PREDICT], RELEASED_CHECKPOINT.parent, "1.4")
context.manifest["model"]["serializedFile"] = RELEASED_CHECKPOINT.name
handler.initialize(context)
handler.handle([image(), image(b"no image")], context)
print([name for name in sys.modules if "opentelemetry" in name])
"""


def _worker(**settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    headers = {
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "X-Request-Id": "mine",
        "X-Drawing-Id": "6f1f6c1e-52a5-4f0b-9a0e-0d5f0f6f7a11",
    }
    done = subprocess.run(
        [sys.executable, "-c", WORKER.format(headers=headers)],
        cwd=ROOT, env=environment | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.service
def test_each_request_of_a_batch_is_a_span_of_its_own_trace():
    with collector() as server:
        _worker(OTEL_EXPORTER_OTLP_ENDPOINT=server.address)
        refused, answered = sorted(server.spans, key=lambda span: span.trace == TRACE)
    assert (answered.service, answered.name, answered.parent) == ("handler", "request", PARENT)
    assert answered.attributes["request_id"] == "mine"
    assert answered.attributes["drawing_id"] == "6f1f6c1e-52a5-4f0b-9a0e-0d5f0f6f7a11"
    assert (answered.attributes["status"], answered.attributes["batch"]) == (200, 2)
    assert answered.attributes["preprocess_ms"] > 0
    assert answered.attributes["network_ms"] > 0
    assert answered.attributes["preprocess_ms"] + answered.attributes["network_ms"] <= answered.milliseconds
    assert (refused.parent, refused.attributes["status"]) == ("", 400)
    assert "request_id" not in refused.attributes


@pytest.mark.service
@pytest.mark.parametrize("settings", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}])
def test_without_a_collector_nothing_of_opentelemetry_is_imported(settings):
    assert _worker(**settings).splitlines()[-1] == "[]"


def test_without_the_packages_a_worker_serves_and_logs_it(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert open_tracing("1.4") is None
    [message] = caplog.messages
    assert message.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, but there are no spans: ")
