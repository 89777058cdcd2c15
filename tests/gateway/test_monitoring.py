"""/monitoring/: access for operators only, and the three servers."""

import json
import subprocess
import time

import pytest
import requests

from ops.native.gateway import monitoring_maps
from tests.gateway import upstreams
from tests.gateway.running import ROOT, Gateway, run_gateway

SESAME = "ö p:e+n/s sesame"
OPERATOR = ("operator", SESAME.encode())
PATHS = {
    "/monitoring/prometheus/graph?g0.expr=up%20%2B%201": "/hidden/graph?g0.expr=up%20%2B%201",
    "/monitoring/alertmanager/api/v2/status": "/hidden/api/v2/status",
    "/monitoring/grafana/d/mnist-overview": "/monitoring/grafana/d/mnist-overview",
}


@pytest.fixture(scope="module")
def tool():
    with upstreams.model() as server:  # it echoes requests
        yield server


@pytest.fixture
def servers(tool):
    return {
        "prometheus": f"{tool.address}/hidden",
        "alertmanager": f"{tool.address}/hidden",
        "grafana": tool.address,
    }


@pytest.fixture
def guarded(tmp_path, servers, model, page):
    with run_gateway(
        tmp_path, model.address, page.address, monitoring=servers, operator_password=SESAME
    ) as gateway:
        yield gateway


def _get(gateway: Gateway, path: str = "/monitoring/prometheus/", **options) -> requests.Response:
    return requests.get(gateway.url + path, timeout=30, allow_redirects=False, **options)


@pytest.mark.service
@pytest.mark.parametrize("path", PATHS)
def test_an_operator_reaches_each_server_with_its_own_path(guarded: Gateway, path):
    received = _get(guarded, path, auth=OPERATOR).json()
    assert received["path"] == PATHS[path]
    assert "authorization" not in received["headers"]
    assert received["headers"]["host"] == guarded.url.removeprefix("http://")


@pytest.mark.service
def test_the_short_address_redirects_to_the_overview(guarded: Gateway):
    for path in ("/monitoring", "/monitoring/"):
        response = _get(guarded, path, auth=OPERATOR)
        assert response.status_code == 302
        assert response.headers["Location"] == "/monitoring/prometheus/consoles/overview.html"


@pytest.mark.service
@pytest.mark.parametrize("path", [*PATHS, "/monitoring", "/monitoring/", "/monitoring/x"])
def test_a_request_without_a_password_gets_401(guarded: Gateway, tool, path):
    before = len(tool.requests)
    response = _get(guarded, path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="operator", charset="UTF-8"'
    assert response.json()["type"] == "PasswordNeeded"
    assert len(tool.requests) == before


@pytest.mark.service
@pytest.mark.parametrize(
    "auth",
    [
        ("operator", SESAME.upper().encode()),
        ("operator", SESAME[:-1].encode()),
        ("OPERATOR", OPERATOR[1]),
    ],
)
def test_a_wrong_password_or_name_gets_401(guarded: Gateway, tool, auth):
    before = len(tool.requests)
    assert _get(guarded, auth=auth).status_code == 401
    assert len(tool.requests) == before


@pytest.mark.service
def test_password_guesses_are_limited_but_not_the_operator(guarded: Gateway):
    answers = [_get(guarded, auth=("operator", str(number))).status_code for number in range(8)]
    assert answers == [401] * 5 + [429] * 3
    for _ in range(20):
        assert _get(guarded, auth=OPERATOR).status_code == 200
    refused = _get(guarded, auth=("operator", "x"))
    assert "5 passwords" in refused.json()["message"]
    assert refused.headers["Retry-After"] == "10"


@pytest.mark.service
def test_a_foreign_web_page_gets_403_even_with_the_password(guarded: Gateway, tool):
    before = len(tool.requests)
    response = _get(guarded, auth=OPERATOR, headers={"Origin": "https://other.example"})
    assert (response.status_code, response.json()["type"]) == (403, "ForeignOrigin")
    assert len(tool.requests) == before


@pytest.mark.service
@pytest.mark.parametrize(
    "visit",
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]", 200),
        ("digits.example.com", 403),
        ("10.0.0.1", 403),
    ],
)
def test_without_a_password_operators_are_on_localhost(tmp_path, servers, model, page, visit):
    host, status = visit
    with run_gateway(
        tmp_path, model.address, page.address, monitoring=servers, public_hosts="digits.example.com"
    ) as gateway:
        response = _get(gateway, headers={"Host": host})
        assert response.status_code == status
        assert status == 200 or response.json()["type"] == "OperatorsAlone"
        assert "WWW-Authenticate" not in response.headers


def test_without_monitoring_an_error_explains_it(gateway: Gateway):
    for path in ("/monitoring", *PATHS):
        response = _get(gateway, path)
        assert (response.status_code, response.json()["type"]) == (404, "NoMonitoring")
        assert "Start it with MONITORING=1" in response.json()["message"]


@pytest.mark.service
def test_an_unavailable_monitoring_server_gets_404_and_no_log_line(tmp_path, model, page):
    away = dict.fromkeys(("prometheus", "alertmanager"), "127.0.0.1:9/hidden") | {"grafana": ""}
    with run_gateway(
        tmp_path, model.address, page.address, monitoring=away, operator_password=SESAME
    ) as gateway:
        for path in (*PATHS, "/monitoring/other"):
            response = _get(gateway, path, auth=OPERATOR)
            assert (response.status_code, response.json()["type"]) == (404, "NoMonitoring")
    assert "hidden" not in (tmp_path / "nginx.log").read_text()


@pytest.mark.service
def test_the_inner_listener_has_no_monitoring(guarded: Gateway):
    response = requests.get(f"{guarded.inner_url}/monitoring/", auth=OPERATOR, timeout=30)
    assert (response.status_code, response.json()["type"]) == (404, "NotFound")


@pytest.mark.service
def test_an_unavailable_exporter_causes_no_log_lines(guarded: Gateway, tmp_path):
    for _ in range(20):
        assert requests.post(f"{guarded.url}/predict", data=b"x", timeout=30).ok
        time.sleep(0.01)  # until nginx receives the refusal
    assert (tmp_path / "nginx.log").read_text() == ""
    requests.post(f"{guarded.url}/predict", data=json.dumps("x" * 6_000_000), timeout=30)
    assert "too large body" in (tmp_path / "nginx.log").read_text()


@pytest.mark.parametrize("password", ["", "o/p+e n:s'e$s"])
def test_container_sh_writes_the_same_maps(tmp_path, password):
    servers = {
        "prometheus": "prometheus:9090/monitoring/prometheus",
        "alertmanager": "alertmanager:9093/monitoring/alertmanager",
        "grafana": "grafana:3000",
    }
    secret = tmp_path / "operator_password"
    secret.write_text(f"{password}\n" if password else "")
    script = (ROOT / "gateway" / "container.sh").read_text(encoding="utf-8")
    script = script.replace("/run/secrets/operator_password", str(secret)).replace(
        '\nmain "$@"', "\nmonitoring"
    )
    written = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    expected = monitoring_maps(servers, password) if password else 'map "" $operator { default off; }\n'
    lines = [line.replace('"', "") for line in written.splitlines() if not line.startswith("resolver ")]
    assert lines[0] == expected.splitlines()[0].replace('"', "")
    assert lines[1:] == [line.replace('"', "") for line in monitoring_maps(servers, "").splitlines()[1:]]


@pytest.mark.service
def test_a_redirect_stays_at_the_gateway(tmp_path, servers, model, page):
    with upstreams.redirecting() as server:
        servers["prometheus"] = f"{server.address}/{'s3cr-t_x' * 4}"
        with run_gateway(tmp_path, model.address, page.address, monitoring=servers) as gateway:
            location = _get(gateway, "/monitoring/prometheus/graph").headers["Location"]
    assert location == "/monitoring/prometheus/graph/"
