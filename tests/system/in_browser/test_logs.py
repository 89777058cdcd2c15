"""The logs after drawings, labels, failures and a swap: one format, no secret and no drawing."""

import base64
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests
from playwright.sync_api import Page, expect

from fixtures import archives, victims
from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer, open_page
from fixtures.waiting import eventually
from ops.versions.state import RELEASED, archive_name
from tests.system.conftest import SECRETS
from tests.system.running import ROOT, RunningSystem
from tests.test_json_logs import TIME

SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
LEVELS = {"debug", "info", "warning", "error", "critical"}
REQUIRED = ["time", "level", "part", "message"]
PARTS = {"gateway", "page", "deliverer", "exporter", "torchserve", "handler", "controller"}
# PostgreSQL, nginx's error log and supervisord log text. Alloy parses the level of the first two.
ALLOY = (ROOT / "monitoring" / "alloy" / "config.alloy").read_text(encoding="utf-8")
[TEXT] = re.findall(r"expression = `(.*)`", ALLOY)
BEARER, BROKEN = "a-bearers-token", b"iVBORw0KGgo, but broken off"


def _log(system: RunningSystem) -> Iterator[tuple[Path, str]]:
    for path in sorted(system.system.logs.glob("*.log*")):
        rotated = path.with_name(f"{path.name}.1").exists()
        # The first line after a rotation may be incomplete.
        for line in path.read_text(errors="replace").splitlines()[rotated:]:
            yield path, line


def _lines(system: RunningSystem) -> list[dict]:
    """The log lines of the parts; fails if one is not JSON."""
    lines = []
    for path, line in _log(system):
        name = path.name.partition(".")[0]
        if name == "supervisor" or (name in ("postgres", "gateway") and re.match(TEXT, line)):
            continue
        if name == "postgres" and line.startswith("\t"):  # a statement of several lines
            continue
        lines.append(json.loads(line))
    return lines


@pytest.fixture(scope="module")
def used(own_system: RunningSystem, browser) -> tuple[RunningSystem, list[str], bytes]:
    """A system after a drawing, a label, failures and a swap; the cookies of its visitor; and the drawing."""
    page = browser.new_page()
    open_page(page, own_system.address)
    draw_with_mouse(page, DIGITS[7])
    expect_answer(page, 7)
    page.locator(".st-key-label-7 button").click()
    eventually(lambda: own_system.newest().true_label == 7)
    _sign_in(page, own_system.address)
    cookies = [cookie["value"] for cookie in page.context.cookies()]
    page.close()
    headers = {"Authorization": f"Bearer {BEARER}", "Cookie": f"token={BEARER}"}
    assert own_system.predict(BROKEN, **headers).status_code == 400
    with pytest.raises(psycopg.errors.CheckViolation):
        own_system.insert(prediction=11, drawing=SEVEN)
    for pid in victims.workers(own_system.system):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: requests.get(f"{own_system.address}/ping", timeout=30).ok)
    released = own_system.system.model_store / archive_name(RELEASED)
    archives.copy(released, "7.7")
    for version in ("7.7", RELEASED):
        done = own_system.ops("swap", version)
        assert done.returncode == 0, done.stderr
    return own_system, cookies, own_system.newest().drawing


def _sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/history")
    page.locator(".card").first.wait_for()

    def opens() -> bool:
        page.locator(".st-key-sign-in button").first.click()
        return bool(page.locator(".st-key-password input").count())

    eventually(opens)
    for password in ("a wrong guess", SECRETS["OPERATOR_PASSWORD"]):
        page.locator(".st-key-password input").fill(password)
        page.locator(".st-key-enter button").click()
    expect(page.locator(".st-key-filters")).to_be_visible()


def test_every_line_of_our_parts_has_the_required_fields(used):
    lines = _lines(used[0])
    assert {line["part"] for line in lines} == PARTS
    for line in lines:
        assert list(line)[:4] == REQUIRED, line
        assert TIME.fullmatch(line["time"]), line
        assert line["level"] in LEVELS, line
        assert all(isinstance(line[name], str) for name in REQUIRED), line


def test_the_logs_contain_no_secret_and_no_drawing(used):
    system, cookies, drawing = used
    text = "\n".join(line for _, line in _log(system))
    files = [path.read_text().strip() for path in system.system.secrets.iterdir()]
    secrets = [*files, *SECRETS.values(), *cookies, "a wrong guess", BEARER]
    assert len(files) >= 2
    assert cookies
    assert [secret for secret in secrets if secret in text] == []
    encoded = base64.b64encode(drawing).decode()
    pieces = {
        "iVBORw0KGgo",
        "89504e47",
        encoded[60:90],
        drawing[45:60].hex(),
        '"picture"',
        '"path"',
        '\\"objects',
    }
    assert [piece for piece in pieces if piece in text] == []


def _of(drawing: str, lines: list[dict]) -> list[dict]:
    return [line for line in lines if line.get("drawing_id") == drawing]


def _select(query: str, lines: list[dict]) -> list[dict]:
    """The lines that a LogQL query of the dashboard selects; supports only the operators of these queries."""
    conditions = re.findall(r'(\w+)(=~|=)"([^"]*)"', query)
    assert conditions
    assert re.sub(r'\w+=~?"[^"]*"', "", query).count('"') == 0
    tests = {"=": str.__eq__, "=~": lambda value, pattern: bool(re.fullmatch(pattern, value))}
    return [
        line
        for line in lines
        if all(tests[operator](str(line.get(name, "")), value) for name, operator, value in conditions)
    ]


def test_every_query_of_the_dashboard_finds_lines(used):
    system, _, _ = used
    # Alloy's labels: the container's service, and the level of the line, by its name in the line.
    assert 'expressions = {level = "level"}' in ALLOY
    containers = {"handler": "torchserve", "controller": "torchserve"}
    lines = [line | {"service": containers.get(line["part"], line["part"])} for line in _lines(system)]
    drawing = str(system.newest().id)
    [request, *_] = (line["request_id"] for line in _of(drawing, lines) if line["part"] == "page")
    dashboard = json.loads((ROOT / "monitoring/grafana/dashboards/logs.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= 5
    for query in queries:
        assert _select(query.replace("$drawing", drawing).replace("$request", request), lines), query
    assert re.findall(r"sum by \((\w+)\)", "".join(queries)) == ["service"] * 2


def test_a_drawing_is_traceable_from_stroke_to_row(used):
    system, _, _ = used
    row = system.newest()
    lines = _of(str(row.id), _lines(system))
    assert {line["part"] for line in lines} >= {"page", "gateway", "deliverer"}
    of_page = {line["request_id"] for line in lines if line["part"] == "page"}
    of_gateway = {line["request_id"] for line in lines if line["part"] == "gateway"}
    assert of_page
    assert of_page == of_gateway
    delivered = [line["message"] for line in lines if line["part"] == "deliverer"]
    assert delivered[-1] == f"labelled drawing, revision {row.revision}: delivered"
