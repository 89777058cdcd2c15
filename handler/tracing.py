"""Spans of requests for OpenTelemetry, sent to OTEL_EXPORTER_OTLP_ENDPOINT. Without it nothing of it is imported.

record_span = open_tracing("1.4")
record_span(headers, started_ns, {"preprocess_ms": 0.4})    # ends now; a child of the header traceparent
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

RecordSpan = Callable[[Mapping[str, Any], int, Mapping[str, str | float]], None]

logger = logging.getLogger(__name__)


def open_tracing(version: str) -> RecordSpan | None:
    """What records a span of this worker; None without a collector or without OpenTelemetry."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:  # another server, with packages of its own
        logger.error("OTEL_EXPORTER_OTLP_ENDPOINT is set, but there are no spans: %s.", error)  # noqa: TRY400
        return None
    # It warns at every attempt to reach a collector that is away.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    resource = Resource.create({"service.name": "handler", "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("handler")
    propagator = TraceContextTextMapPropagator()

    def record(headers: Mapping[str, Any], started_ns: int, attributes: Mapping[str, str | float]) -> None:
        sent = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
        parent = propagator.extract(sent)
        tracer.start_span("request", parent, SpanKind.SERVER, attributes, start_time=started_ns).end()

    return record
