"""Spans of a whole system, from the page through the gateway to a worker, received by a collector."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer, open_page
from fixtures.waiting import eventually
from tests.system.running import ROOT, RunningSystem, start_system

pytestmark = pytest.mark.slow

SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def traced(tmp_path_factory, model_store: Path) -> Iterator[tuple[RunningSystem, Path]]:
    """A system with a collector, and the file of the spans that it received."""
    folder = tmp_path_factory.mktemp("traced")
    command = [ROOT / ".venv" / "page" / "bin" / "python", "-m", "tests.otlp"]
    received = folder / "spans.log"
    with received.open("wb") as file, subprocess.Popen(command, cwd=ROOT, stdout=file) as collector:
        try:
            address = eventually(lambda: received.read_text().partition("\n")[0])
            direct = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
            with start_system(
                folder / "var", model_store, OTEL_EXPORTER_OTLP_ENDPOINT=address, **direct
            ) as system:
                yield system, received
        finally:
            collector.terminate()


def _spans(received: Path) -> list[dict]:
    return [json.loads(line) for line in received.read_text().splitlines()[1:]]


def _span(received: Path, **fields: str) -> dict:
    return eventually(
        lambda: next((s for s in _spans(received) if fields.items() <= (s | s["attributes"]).items()), None)
    )


def test_a_programs_trace_continues_in_the_worker(traced):
    system, received = traced
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"}
    assert system.predict(SEVEN, **headers).status_code == 200
    span = _span(received, service="handler", trace=TRACE)
    assert (span["parent"], span["attributes"]["request_id"]) == (PARENT, "mine")


def test_a_drawing_is_one_trace_from_the_page_to_the_worker_and_is_delivered(traced, desktop: Page):
    system, received = traced
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    eventually(system.drawings)
    drawing = str(system.newest().id)
    request = _span(received, service="page", drawing_id=drawing)
    prediction = _span(received, service="handler", trace=request["trace"])
    assert prediction["parent"] == request["id"]
    assert prediction["attributes"]["request_id"] == request["attributes"]["request_id"]
    assert prediction["milliseconds"] < request["milliseconds"]
    assert _span(received, service="deliverer")["attributes"]["drawings"] >= 1
