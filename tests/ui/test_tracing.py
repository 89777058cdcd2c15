"""Spans of page and deliverer, received by a real collector."""

import os
import subprocess
import sys
import uuid

import pytest

from tests.otlp import collector
from ui import tracing
from ui.model_client import ModelClient, ModelError

ID = uuid.UUID(int=7)
WITHOUT_COLLECTOR = """
import sys, uuid
import ui.server, ui.deliverer, ui.session
from ui.model_client import ModelClient
ModelClient(sys.argv[1]).predict(b"png", uuid.uuid4())
assert ui.tracing.tracer("page") is None
sys.exit(any("opentelemetry" in name for name in sys.modules))
"""


@pytest.fixture
def spans(monkeypatch):
    """A function that flushes and returns the received spans."""
    with collector() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
        tracing.tracer.cache_clear()

        def flush() -> list:
            for part in ("page", "deliverer"):
                provider = tracing.tracer(part).span_processor
                assert provider.force_flush()
            return server.spans

        yield flush
        for part in ("page", "deliverer"):
            tracing.tracer(part).span_processor.shutdown()
        tracing.tracer.cache_clear()


def test_a_prediction_is_a_span_and_the_models_span_its_child(client: ModelClient, fake_model, spans):
    client.predict(b"png", ID)
    [span] = spans()
    [(_, headers, _)] = fake_model.requests
    assert headers["traceparent"].startswith(f"00-{span.trace}-{span.id}-0")
    assert (span.service, span.name, span.parent) == ("page", "predictions", "")
    assert span.attributes == {"drawing_id": str(ID), "request_id": headers["X-Request-Id"]}
    assert span.milliseconds > 0


def test_a_failed_span_has_only_the_type_of_the_error(client: ModelClient, fake_model, spans):
    fake_model.status = 503
    with pytest.raises(ModelError):
        client.predict(b"png", ID)
    [span] = spans()
    assert span.failed == "ModelError"


def test_a_span_has_the_name_of_its_part(spans):
    with tracing.span("deliverer", "deliver", drawings=3) as headers:
        assert headers.keys() == {"traceparent"}
    [span] = spans()
    assert (span.service, span.name, span.attributes) == ("deliverer", "deliver", {"drawings": 3})


@pytest.mark.parametrize("setting", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}])
def test_without_a_collector_opentelemetry_is_not_imported(fake_model, setting):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", WITHOUT_COLLECTOR, fake_model.url]
    done = subprocess.run(command, env=environment | setting, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "traceparent" not in fake_model.requests[-1][1]


def test_an_invalid_endpoint_is_an_error_at_the_start(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")
    tracing.tracer.cache_clear()
    with pytest.raises(SystemExit, match="'OTEL_EXPORTER_OTLP_ENDPOINT' has value 'collector:4318'"):
        tracing.tracer("page")
