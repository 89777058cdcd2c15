"""The gateway's access log: JSON lines as in all parts, with ids but no other client data."""

import json
import subprocess
from collections.abc import Callable

import pytest
import requests

from fixtures.waiting import eventually
from tests.gateway.running import ROOT, run_gateway
from tests.gateway.upstreams import Server
from tests.test_json_logs import TIME

DRAWING = "6f1f6c1e-52a5-4f0b-9a0e-0d5f0f6f7a11"
HOSTILE = {
    "X-Request-Id": 'a"b',
    "X-Drawing-Id": "'; DROP TABLE",
    "User-Agent": 'x"}{\\',
    "Referer": "\u00ff",
    "Cookie": "session=hidden",
}


@pytest.fixture
def lines(tmp_path, model: Server, page: Server):
    """Sends requests and returns their log lines."""

    def lines(*sent: Callable[[str], requests.Response]) -> list[dict]:
        with run_gateway(tmp_path, model.address, page.address) as gateway:
            for one in sent:
                one(gateway.url)
            requests.get(f"{gateway.url}/v1", headers={"X-Request-Id": "last"}, timeout=30)
            log = tmp_path / "access.log"
            text = eventually(lambda: '"last"' in (found := log.read_text()) and found)
        *logged, _ = map(json.loads, text.splitlines())
        return logged

    return lines


def _post(path: str, body=b"x", **headers: str) -> Callable[[str], requests.Response]:
    return lambda url: requests.post(url + path, data=body, headers=headers, timeout=30)


def test_a_prediction_logs_one_line_with_its_ids(lines):
    [line] = lines(_post("/predict", **{"X-Request-Id": "mine", "X-Drawing-Id": DRAWING}))
    assert list(line)[:6] == ["time", "level", "part", "message", "request_id", "drawing_id"]
    assert TIME.fullmatch(line["time"])
    assert (line["level"], line["part"]) == ("info", "gateway")
    assert line["message"].startswith("predict 200 after ")
    assert (line["request_id"], line["drawing_id"]) == ("mine", DRAWING)
    assert (line["listener"], line["route"], line["status"]) == ("public", "predict", 200)


def test_a_chunked_request_logs_one_line(lines):
    [line] = lines(_post("/explanations/mnist", iter([b"a", b"b"]), **{"X-Request-Id": "mine"}))
    assert (line["request_id"], line["listener"], line["route"]) == ("mine", "public", "explain")


def test_a_model_failure_logs_an_error(lines):
    refused, failed = lines(_post("/predict", b"STATUS 400"), _post("/predict", b"HANG UP"))
    assert (refused["status"], refused["level"]) == (400, "info")
    assert (failed["status"], failed["level"]) == (503, "error")


def test_a_line_contains_no_client_data_except_ids(lines):
    path = '/predict?password=hidden&"}'
    logged = lines(_post(path, **HOSTILE), _post("/models/hidden", **HOSTILE))
    assert len(logged) == 2
    assert "hidden" not in str(logged)
    assert "127.0.0.1" not in str(logged)
    assert all(line["request_id"].isalnum() and line["drawing_id"] == "" for line in logged)


def test_page_files_and_health_checks_log_only_failures(lines):
    def get(path: str) -> Callable[[str], requests.Response]:
        return lambda url: requests.get(url + path, timeout=30)

    [missing] = lines(get("/"), get("/static/a.js"), get("/ping"), get("/openapi.json"), get("/missing"))
    assert (missing["route"], missing["status"]) == ("page", 404)
    [upload] = lines(lambda url: requests.put(f"{url}/_stcore/upload_file/x", data=b"x", timeout=30))
    assert (upload["route"], upload["status"]) == ("upload", 200)


def test_container_sh_logs_json():
    command = [ROOT / "gateway" / "container.sh", 'a "word"\n\\of two lines']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    line = json.loads(done.stderr)
    assert list(line) == ["time", "level", "part", "message"]
    assert TIME.fullmatch(line["time"])
    assert line["message"].startswith("unknown command 'a \"word\" \\of two lines'")
