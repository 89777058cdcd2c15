"""A collector of OpenTelemetry spans: an HTTP server that reads OTLP's protobuf.

python -m tests.otlp     prints its address, then each span as a JSON line; needs the packages of `page` or `serve`
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fixtures.http_server import Handler, serving


@dataclass
class Span:
    """The fields of a span that tests compare."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    failed: str
    milliseconds: float
    attributes: dict[str, str | int | float]


class Collector(ThreadingHTTPServer):
    """Listens on a free port of loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Span] = []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def received(self, span: Span) -> None:
        self.spans.append(span)


class _Handler(Handler):
    server: Collector

    def do_POST(self) -> None:
        body = self.read_body()
        assert self.path == "/v1/traces"
        for span in _spans(ExportTraceServiceRequest.FromString(body)):
            self.server.received(span)
        self.answer(200)


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for of_resource in request.resource_spans:
        resource = _attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=str(resource["service.name"]),
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    failed=span.status.message if span.status.code == 2 else "",
                    milliseconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
                    attributes=_attributes(span.attributes),
                )


def _attributes(pairs) -> dict[str, str | int | float]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector in a thread."""
    with serving(Collector()) as server:
        yield server


class _Printing(Collector):
    def received(self, span: Span) -> None:
        print(json.dumps(asdict(span)), flush=True)


if __name__ == "__main__":
    printing = _Printing()
    print(printing.address, flush=True)
    printing.serve_forever()
