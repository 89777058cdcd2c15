"""Several replicas of TorchServe and of the page behind the gateway's container, with an old and a new nginx."""

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
import requests

from fixtures.waiting import eventually
from ops.versions.split import split_clients
from ops.versions.state import Versions
from tests.gateway import upstreams
from tests.gateway.container import NEW, OLD, PAGE, TORCHSERVE, Container
from tests.gateway.running import PREDICTION_TIMEOUT_S, with_shorter_timeouts
from tests.gateway.upstreams import Server

HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
VISITORS = [f"{number:03x}" for number in range(0, 4096, 128)]  # the values of their cookies
UPLOADERS = VISITORS[::6]  # few, because the gateway delays uploads to two a second
CANARY = "/predictions/mnist/1.1"
both = pytest.mark.parametrize("version", [OLD, NEW])
service = pytest.mark.service


@pytest.fixture
def container(tmp_path, request):
    version = request.node.callspec.params.get("version", NEW) if hasattr(request.node, "callspec") else NEW
    return Container(tmp_path, version)


@contextmanager
def _replicas(
    container: Container, number: int, kind=upstreams.model, name: str = TORCHSERVE
) -> Iterator[list[Server]]:
    """Servers behind a running gateway that knows all of them."""
    with ExitStack() as stack:
        servers = [stack.enter_context(kind(container.ports[name], host)) for host in HOSTS[:number]]
        container.point(name, HOSTS[:number])
        stack.enter_context(container.running())
        if name == TORCHSERVE:
            eventually(lambda: _are_known(container, servers))
        for server in servers:
            server.requests.clear()
        yield servers


def _are_known(container: Container, servers: Sequence[Server]) -> bool:
    """Whether the gateway sends requests to every server. nginx resolves their name after its start."""
    requests.get(f"{container.inner_url}/ping", timeout=5)
    return all(server.requests for server in servers)


def _predict(container: Container, body: bytes | str = b"a digit", **headers: str) -> requests.Response:
    return requests.post(f"{container.inner_url}/predict", data=body, headers=headers, timeout=30)


def _point_and_reload(container: Container, name: str, hosts: list[str]) -> None:
    """Give a name other addresses, and wait until the gateway has reloaded its configuration."""
    workers = container.workers()
    container.point(name, hosts)
    eventually(lambda: container.workers() and not workers & container.workers())


def _request_counts(servers: Sequence[Server]) -> list[int]:
    return [len(server.requests) for server in servers]


# TorchServe


@service
@both
def test_requests_spread_over_the_replicas(container: Container, version):
    with _replicas(container, 3) as servers:
        for _ in range(30):
            assert _predict(container).status_code == 200
        assert min(_request_counts(servers)) >= 8


@service
@both
def test_the_replica_with_the_fewest_requests_in_flight_gets_the_next_one(container: Container, version):
    with _replicas(container, 2) as servers, ThreadPoolExecutor() as pool:
        waiting = pool.submit(_predict, container, b"UNTIL RELEASED")
        [busy] = eventually(lambda: [server for server in servers if server.requests])
        [idle] = [server for server in servers if server is not busy]
        for _ in range(10):
            assert _predict(container).status_code == 200
        assert (len(busy.requests), len(idle.requests)) == (1, 10)
        busy.released.set()
        assert waiting.result().status_code == 200


@service
@both
@pytest.mark.parametrize("path", ["/predictions/mnist", "/predict", "/explanations/mnist"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_to_a_dying_replica_is_answered_by_another(container: Container, version, path, chunked):
    with _replicas(container, 2) as (dying, model):
        dying.fault = b"HANG UP"
        for _ in range(12):
            body = iter([b"a ", b"digit"]) if chunked else b"a digit"
            assert requests.post(container.inner_url + path, data=body, timeout=30).status_code == 200
        assert len(model.requests) == 12
        assert len(dying.requests) == 1  # after a failure it gets no more


@service
@both
def test_a_replica_that_refuses_connections_costs_no_request(container: Container, version):
    with _replicas(container, 1) as [model]:
        _point_and_reload(container, TORCHSERVE, HOSTS[:2])
        for _ in range(60):
            assert _predict(container).status_code == 200
            time.sleep(0.05)
        assert len(model.requests) == 60
        eventually(lambda: any(", " in line["upstream_seconds"] for line in _log_lines(container, "predict")))


@service
@both
def test_a_request_is_retried_once(container: Container, version):
    with _replicas(container, 3) as servers:
        response = _predict(container, b"HANG UP")
        assert (response.status_code, response.json()["type"]) == (503, "ModelUnavailable")
        assert sorted(_request_counts(servers)) == [0, 1, 1]


@service
@both
def test_an_answer_is_never_retried(container: Container, version):
    with _replicas(container, 2) as servers:
        for number, status in enumerate((400, 404, 500, 503, 507), 1):
            expected = 400 if status == 400 else 503
            assert _predict(container, f"STATUS {status}").status_code == expected, status
            assert sum(_request_counts(servers)) == number, status


@service
@both
def test_a_request_to_a_hanging_replica_is_not_repeated(container: Container, version):
    # If all replicas are slow, a repetition after the timeout would double their work. /ping waits for 2 s.
    container.etc = with_shorter_timeouts(container.folder)
    with _replicas(container, 2) as (model, hanging):
        hanging.fault = b"UNTIL RELEASED"
        with ThreadPoolExecutor(8) as pool:
            begin = time.monotonic()
            answers = list(pool.map(lambda _: _predict(container).status_code, range(8)))
            assert time.monotonic() - begin < PREDICTION_TIMEOUT_S + 3
        assert Counter(answers) == {200: len(model.requests), 503: len(hanging.requests)}
        assert 1 <= len(hanging.requests) <= 4
        assert requests.get(f"{container.inner_url}/ping", timeout=5).status_code == 200


@service
@both
def test_a_health_check_is_repeated_if_its_replica_hangs(container: Container, version):
    with _replicas(container, 2) as (hanging, _):
        hanging.fault = b"UNTIL RELEASED"
        for _ in range(2):
            assert requests.get(f"{container.inner_url}/ping", timeout=5).status_code == 200
        assert len(hanging.requests) == 1


@service
@both
def test_a_canary_on_a_dying_replica_is_answered_by_the_canary(container: Container, version):
    (container.folder / "split.conf").write_text(
        'map "" $split_in_force { default ""; }\n' + split_clients(Versions("1.0", split={"1.1": 1.0}))
    )
    with _replicas(container, 2) as (dying, _):
        dying.fault = b"HANG UP"
        for _ in range(4):
            answer = _predict(container, **{"X-Drawing-Id": str(uuid.uuid4())})
            assert answer.json()["path"] == CANARY
        assert len(dying.requests) == 1
        lines = eventually(
            lambda: len(found := _log_lines(container, "predict")) == 4 and found,
        )
    assert {line["model_version"] for line in lines} == {"1.1"}
    assert any(", " in line["upstream_seconds"] for line in lines)


@service
@both
def test_a_missing_canary_is_still_answered_by_the_default(container: Container, version):
    (container.folder / "split.conf").write_text(
        'map "" $split_in_force { default ""; }\n' + split_clients(Versions("1.0", split={"1.1": 1.0}))
    )
    with _replicas(container, 2) as servers:
        # This model gives the same answer for the default version.
        assert _predict(container, "STATUS 404").status_code == 503
        paths = [request["path"] for server in servers for request in server.requests]
        assert sorted(paths) == ["/predictions/mnist", CANARY]


def _log_lines(container: Container, route: str) -> list[dict]:
    text = (container.folder / "container.log").read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("route") == route]


@service
@both
def test_replicas_come_and_go_without_a_lost_request(container: Container, version):
    container.check_every_s = 0.1  # so that it sees each change below
    with _replicas(container, 3) as servers:
        workers = container.workers()
        stopped = threading.Event()

        def predict() -> Counter[int]:
            answers: Counter[int] = Counter()
            while not stopped.is_set():
                answers[_predict(container).status_code] += 1
            return answers

        with ThreadPoolExecutor() as pool:
            clients = [pool.submit(predict) for _ in range(3)]
            try:
                for hosts in (HOSTS[:2], HOSTS[1:2], HOSTS[1:], HOSTS):
                    container.point(TORCHSERVE, hosts)
                    _wait_until_used(servers, hosts)
            finally:
                stopped.set()
        assert sum((client.result() for client in clients), Counter()).keys() == {200}
        if version == NEW:  # only from several replicas to one, and back
            assert _log_text(container).count("applying a changed") == 2
        else:
            assert _log_text(container).count("applying a changed") == 4
            assert workers != container.workers()


def _wait_until_used(servers: Sequence[Server], hosts: Sequence[str]) -> None:
    """Wait until the servers on these hosts, and no others, get requests."""

    def are_used() -> bool:
        for server in servers:
            server.requests.clear()
        time.sleep(0.3)
        return [bool(server.requests) for server in servers] == [
            server.address.split(":")[0] in hosts for server in servers
        ]

    eventually(are_used)


def _log_text(container: Container) -> str:
    return (container.folder / "container.log").read_text()


@service
def test_a_reload_keeps_the_resolved_replicas(container: Container):
    with _replicas(container, 2):
        for number, share in enumerate((0.1, 0.2, 0.3), start=1):
            (container.folder / "split.conf").write_text(
                f'map "" $split_in_force {{ default "{share}"; }}\n'
                + split_clients(Versions("1.0", split={"1.1": share}))
            )
            while _log_text(container).count("applying a changed") < number:
                assert _predict(container).status_code == 200
            for _ in range(100):
                assert _predict(container).status_code == 200


# One replica: as before


@service
@both
def test_a_single_replica_is_neither_retried_nor_avoided(container: Container, version):
    with _replicas(container, 1) as [model]:
        for number in range(1, 6):
            assert _predict(container, b"HANG UP").status_code == 503
            assert _predict(container).status_code == 200
            assert len(model.requests) == 2 * number


@service
def test_a_single_replica_is_not_avoided_after_a_reload(container: Container):
    with _replicas(container, 1):
        (container.folder / "split.conf").write_text(
            'map "" $split_in_force { default "x"; }\n' + split_clients(Versions("1.0"))
        )
        eventually(lambda: "applying a changed" in _log_text(container))
        time.sleep(0.3)
        for _ in range(5):
            assert _predict(container, b"HANG UP").status_code == 503
            assert _predict(container).status_code == 200


# The pages


@pytest.fixture
def pages(container: Container) -> Iterator[list[Server]]:
    with _replicas(container, 2, upstreams.page, PAGE) as servers:
        yield servers


def _ask(
    container: Container, path: str = "/", cookie: str = "", method: str = "GET"
) -> http.client.HTTPResponse:
    """The answer over TLS to a request with this cookie `page_replica`."""
    connection = http.client.HTTPSConnection("127.0.0.1", container.ports["https"], timeout=30, context=TLS)
    with contextlib.closing(connection):
        body = b"x" if method == "PUT" else None
        connection.request(method, path, body, {"Cookie": f"page_replica={cookie}"} if cookie else {})
        response = connection.getresponse()
        response.read()
        return response


def _page_of(servers: Sequence[Server]) -> int:
    """The page that got the last request; forgets the requests."""
    [index] = [index for index, server in enumerate(servers) if server.requests]
    for server in servers:
        server.requests.clear()
    return index


@service
@both
def test_the_first_page_sets_a_cookie(container: Container, pages, version):
    cookie = _ask(container).headers["Set-Cookie"]
    assert re.fullmatch(r"page_replica=[0-9a-f]{3}; Path=/; HttpOnly; SameSite=Lax; Secure", cookie)
    value = cookie.split("=")[1][:3]
    assert "Set-Cookie" not in _ask(container, cookie=value).headers
    for invalid in ("xyz", value * 2, "127.0.0.1"):
        assert "page_replica=" in _ask(container, cookie=invalid).headers["Set-Cookie"]


@service
def test_only_the_page_sets_the_cookie(container: Container, pages):
    for path in ("/openapi.json", "/models", "/monitoring/", "/missing"):
        assert "Set-Cookie" not in _ask(container, path).headers
    assert "Set-Cookie" not in _predict(container).headers


@service
@both
def test_websocket_and_uploads_of_a_visitor_reach_the_same_page(container: Container, pages, version):
    used = set()
    for value in VISITORS:
        _ask(container, cookie=value)
        page = _page_of(pages)
        _open_websocket(container, value)
        assert _page_of(pages) == page
        if value in UPLOADERS:
            _ask(container, "/_stcore/upload_file/a/b", value, "PUT")
            assert _page_of(pages) == page
        used.add(page)
    assert used == {0, 1}


@service
def test_without_the_cookie_the_address_decides(container: Container, pages):
    assert len({(_ask(container), _page_of(pages))[1] for _ in range(6)}) == 1


@service
@both
def test_the_visitors_of_a_page_that_is_away_reach_another(container: Container, pages, version):
    before = _pages_of_visitors(container, pages)
    _point_and_reload(container, PAGE, HOSTS)  # nothing listens on the third
    assert _pages_of_visitors(container, pages) == before


@service
@both
def test_a_new_page_takes_only_its_share_of_the_visitors(container: Container, pages, version):
    before = _pages_of_visitors(container, pages)
    with upstreams.page(container.ports[PAGE], HOSTS[2]) as third:
        _point_and_reload(container, PAGE, HOSTS)
        after = _pages_of_visitors(container, [*pages, third])
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {2}
    assert len(moved) < len(before) * 0.6


@service
@both
def test_a_single_page_sets_no_cookie(container: Container, version):
    with _replicas(container, 1, upstreams.page, PAGE):
        response = _ask(container)
        assert (response.status, response.headers.get("Set-Cookie")) == (200, None)


def _pages_of_visitors(container: Container, servers: Sequence[Server]) -> list[int]:
    """The page of each visitor."""
    pages = []
    for value in VISITORS:
        assert _ask(container, cookie=value).status == 200
        pages.append(_page_of(servers))
    return pages


def _open_websocket(container: Container, cookie: str) -> None:
    """Open and close a websocket with this cookie."""
    address = ("127.0.0.1", container.ports["https"])
    key = base64.b64encode(os.urandom(16)).decode()
    with (
        socket.create_connection(address, timeout=30) as plain,
        TLS.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Cookie: page_replica={cookie}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")


# The configuration


def test_an_old_nginx_gets_a_list_of_addresses(tmp_path):
    container = Container(tmp_path, OLD)
    container.point(TORCHSERVE, ["10.0.0.9", "10.0.0.10"])
    assert container.run("servers torchserve-inference 8002").splitlines() == [
        "keepalive_requests 1;",
        "server 10.0.0.10:8002 max_fails=1 fail_timeout=5s;",
        "server 10.0.0.9:8002 max_fails=1 fail_timeout=5s;",
    ]
    container.point(TORCHSERVE, ["10.0.0.9"])
    assert container.run("servers torchserve-inference 8002") == "server 10.0.0.9:8002 max_fails=0;\n"


@pytest.mark.parametrize(
    ("version", "resolves"), [("1.26.3", False), ("1.27.2", False), ("1.27.3", True), ("1.28.0", True)]
)
def test_nginx_resolves_torchserve_from_1_27_3_on(tmp_path, version, resolves):
    container = Container(tmp_path, version)
    container.point(TORCHSERVE, ["10.0.0.9", "10.0.0.10"])
    container.point(PAGE, ["10.0.0.9", "10.0.0.10"])
    text = container.run("servers torchserve-inference 8002")
    expected = "server torchserve-inference:8002 resolve max_fails=1 fail_timeout=5s;"
    assert (expected in text, "zone" in text, "10.0.0" in text) == (resolves, resolves, not resolves)
    assert "resolve " not in container.run("servers page-inner 8005")


@both
def test_the_order_of_addresses_does_not_matter(tmp_path, version):
    container = Container(tmp_path, version)
    container.point(PAGE, ["10.0.0.9", "10.0.0.10"])
    text = container.run("servers page-inner 8005")
    container.point(PAGE, ["10.0.0.10", "10.0.0.9"])
    assert container.run("servers page-inner 8005") == text


@both
def test_a_name_without_an_address_gets_an_address_that_refuses_connections(tmp_path, version):
    text = Container(tmp_path, version).run("servers torchserve-inference 8002")
    assert text == "server 127.0.0.1:8002 max_fails=0;\n"


@pytest.mark.parametrize(
    ("inner_host", "own"), [("", "10.0.1.7"), ("10.0.2.", "10.0.2.7"), ("10.0.1.7", "10.0.1.7")]
)
def test_a_gateway_finds_its_own_address_among_several(tmp_path, inner_host, own):
    container = Container(tmp_path)
    (tmp_path / "fib_trie").write_text(
        "".join(
            f"           |-- {ip}\n              /32 host LOCAL\n"
            for ip in ("10.0.1.7", "10.0.2.7", "127.0.0.1")
        )
        + "           |-- 10.0.1.0\n              /24 link UNICAST\n"
    )
    container.point("gateway-inner", ["10.0.1.3", "10.0.1.7"])
    assert container.run(f"INNER_HOST={inner_host} own_address") == f"{own}\n"
