"""OpenTelemetry spans, sent to OTEL_EXPORTER_OTLP_ENDPOINT. Without this setting OpenTelemetry is not imported.

with span("page", "predictions", drawing_id=...) as headers:  # traceparent: the model's span is its child
    ...
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import settings


@cache
def tracer(part: str) -> Any:
    """The tracer of a part of the system; None without a collector."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT.read():
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # It warns at every failed attempt to reach the collector.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    provider = TracerProvider(resource=Resource.create({"service.name": part}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer(part)


@contextmanager
def span(part: str, name: str, **attributes: str | int) -> Iterator[dict[str, str]]:
    """A span around this block; yields the headers that continue the trace.

    It records only the type of an error, because the message may quote a drawing or a password.
    """
    headers: dict[str, str] = {}
    if (source := tracer(part)) is None:
        yield headers
        return
    from opentelemetry.trace import StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    with source.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        TraceContextTextMapPropagator().inject(headers)
        try:
            yield headers
        except Exception as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise
