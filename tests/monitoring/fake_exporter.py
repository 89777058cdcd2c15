"""A stand-in for the exporter, with every metric and the values of a system in use."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from fixtures.http_server import Handler, serving

DAY_S = 86_400
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
PARTS = ("gateway", "page", "torchserve", "deliverer", "postgres")
VERSIONS = {"1.4": 0.9, "1.3": 0.1}
# Listener, route, status, version, requests a second.
REQUESTS = (
    ("inner", "predict", "200", "1.4", 18),
    ("inner", "predict", "200", "1.3", 2),
    ("public", "predict", "200", "1.4", 9),
    ("public", "predict", "400", "", 1),
    ("inner", "predict", "503", "", 0.01),
    ("inner", "explain", "200", "1.4", 1),
    ("public", "page", "200", "", 5),
    ("public", "upload", "200", "", 0.2),
    ("inner", "ping", "200", "", 0.1),
    ("public", "other", "404", "", 0.1),
)


class FakeExporter:
    """`parts_down` names parts that do not answer. Counters grow with the time since `started`."""

    def __init__(self) -> None:
        self.parts_down: set[str] = set()
        self.started = time.time() - 60

    def text(self) -> str:
        """The metrics, in Prometheus' text format."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        now = time.time()
        age = now - self.started
        for listener, route, status, version, rate in REQUESTS:
            of = f'listener="{listener}",route="{route}"'
            yield f'mnist_requests_total{{{of},status="{status}",model_version="{version}"}} {rate * age}'
        for listener, route, version in sorted({(r[0], r[1], r[3]) for r in REQUESTS}):
            of = f'listener="{listener}",route="{route}",model_version="{version}"'
            count = age * sum(r[4] for r in REQUESTS if (r[0], r[1], r[3]) == (listener, route, version))
            yield from _histogram("mnist_request_duration_seconds", of, count, 0.008)
        for upstream, route, rate, mean in (("torchserve", "predict", 30, 0.006), ("page", "page", 5, 0.02)):
            of = f'upstream="{upstream}",route="{route}"'
            yield from _histogram("mnist_upstream_duration_seconds", of, rate * age, mean)
        for version, share in VERSIONS.items():
            of = f'model_version="{version}"'
            for stage, mean in (("preprocess", 0.001), ("network", 0.0015)):
                yield from _histogram(
                    "mnist_stage_duration_seconds", f'stage="{stage}",{of}', 30 * share * age, mean
                )
            yield f"mnist_queue_duration_seconds_sum{{{of}}} {0.03 * share * age}"
            yield f"mnist_queue_duration_seconds_count{{{of}}} {30 * share * age}"
            yield f"mnist_drawings{{{of}}} {5000 * share + age}"
            yield f"mnist_labelled_drawings{{{of}}} {800 * share + age / 10}"
            yield f"mnist_model_version_share{{{of}}} {share}"
            role = "default" if version == "1.4" else "split"
            yield f'mnist_model_version_info{{{of},role="{role}"}} 1'
            yield f"mnist_accuracy{{{of}}} 0.975"
            yield f"mnist_accuracy_lower{{{of}}} 0.96"
            yield f"mnist_accuracy_upper{{{of}}} 0.985"
            yield f"mnist_estimated_accuracy{{{of}}} 0.981"
            for feature, psi in (
                ("digit", 0.04),
                ("confidence", 0.06),
                ("digit_score", 0.03),
                ("ink_share", 0.12),
            ):
                yield f'mnist_drift_psi{{{of},feature="{feature}"}} {psi}'
        for part in PARTS:
            yield f'mnist_part_up{{part="{part}"}} {int(part not in self.parts_down)}'
        for kind, count in (("swap", 3), ("rollback", 1), ("canary", 2), ("promote", 1)):
            yield f'mnist_version_changes_total{{kind="{kind}"}} {count}'
        for state, count in (("active", 2), ("idle", 5)):
            yield f'mnist_database_connections{{state="{state}"}} {count}'
        yield from (
            "mnist_page_sessions 4",
            "mnist_outbox_rows 1",
            "mnist_outbox_oldest_age_seconds 0.4",
            "mnist_outbox_rejected_rows 0",
            f"mnist_database_size_bytes {30e6 + 1000 * age}",
            f"mnist_certificate_expiry_timestamp_seconds {now + 60 * DAY_S}",
            f"mnist_backup_timestamp_seconds {now - DAY_S / 2}",
            "mnist_disk_free_bytes 12e9",
            "mnist_disk_size_bytes 20e9",
        )


def _histogram(name: str, of: str, count: float, mean: float) -> Iterable[str]:
    """A histogram of exponentially distributed durations."""
    for bucket in BUCKETS:
        yield f'{name}_bucket{{{of},le="{bucket}"}} {count * (1 - 2.718281828 ** (-bucket / mean))}'
    yield f'{name}_bucket{{{of},le="+Inf"}} {count}'
    yield f"{name}_sum{{{of}}} {count * mean}"
    yield f"{name}_count{{{of}}} {count}"


@contextmanager
def serve_exporter(exporter: FakeExporter, port: int) -> Iterator[None]:
    """Serve the exporter's metrics on a loopback port, at every path."""

    class Metrics(Handler):
        def do_GET(self) -> None:
            self.answer(200, exporter.text().encode(), "text/plain; version=0.0.4; charset=utf-8")

    with serving(ThreadingHTTPServer(("127.0.0.1", port), Metrics)):
        yield
