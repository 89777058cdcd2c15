"""Record spans of requests with OpenTelemetry, for the collector in OTEL_EXPORTER_OTLP_ENDPOINT.

record_span = open_tracing("1.4")
record_span(headers, started_ns, {"preprocess_ms": 0.4})    # the span ends now; `traceparent` names its parent
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

RecordSpan = Callable[[Mapping[str, Any], int, Mapping[str, str | float]], None]

logger = logging.getLogger(__name__)


def open_tracing(version: str) -> RecordSpan | None:
    """The function that records a span of this worker; None without a collector or without OpenTelemetry."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:  # another server's environment
        logger.error("OTEL_EXPORTER_OTLP_ENDPOINT is set, but there are no spans: %s.", error)  # noqa: TRY400
        return None
    # OpenTelemetry warns at each attempt to reach a collector that is unavailable.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    resource = Resource.create({"service.name": "handler", "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("handler")
    propagator = TraceContextTextMapPropagator()

    def record(headers: Mapping[str, Any], started_ns: int, attributes: Mapping[str, str | float]) -> None:
        carrier = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
        parent = propagator.extract(carrier)
        tracer.start_span("request", parent, SpanKind.SERVER, attributes, start_time=started_ns).end()

    return record
