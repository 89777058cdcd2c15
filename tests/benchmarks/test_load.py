"""The load generator, with a small server that stores its requests."""

from http.server import ThreadingHTTPServer

import pytest

from benchmarks import load
from benchmarks.load import LoadError, Target
from fixtures.http_server import Handler, serving


class _Echo(Handler):
    protocol_version = "HTTP/1.1"
    status = 200
    requests_of_a_connection = 1000
    bodies: list[bytes]
    ports: list[int]

    def do_POST(self):
        body = self.read_body()
        self.bodies.append(body)
        self.ports.append(self.client_address[1])
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        if (
            sum(1 for port in self.ports if port == self.client_address[1]) % self.requests_of_a_connection
            == 0
        ):
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def echo():
    handler = type("Echo", (_Echo,), {"bodies": [], "ports": []})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        server.handle_error = lambda *_: None  # the last requests are aborted
        handler.target = Target("echo", server.server_port, "/predictions/mnist")
        yield handler


# Larger than one receive, so that an answer arrives in pieces.
BODIES = [b"a", b"b" * 200_000, b"c" * 10]


def test_clients_keep_their_connections_and_send_the_bodies_in_turn(echo):
    measured = load.run(echo.target, BODIES, clients=3, seconds=10, warm_up_s=0, most=12)
    assert len(measured.latencies_ms) == 12
    assert all(latency > 0 for latency in measured.latencies_ms)
    assert len(set(echo.ports)) == 3
    assert set(echo.bodies) == set(BODIES)


def test_a_run_has_its_duration_and_excludes_the_warm_up(echo):
    measured = load.run(echo.target, [b"a"], clients=2, seconds=0.3, warm_up_s=0.3)
    assert 0 < len(measured.latencies_ms) < len(echo.bodies)
    assert measured.per_second == pytest.approx(len(measured.latencies_ms) / 0.3)


def test_the_cpu_cost_excludes_the_warm_up(echo):
    seconds = iter([7.0, 7.6])
    measured = load.run(
        echo.target, [b"a"], clients=2, seconds=10, warm_up_s=0.1, most=12, cpu_s=lambda: next(seconds)
    )
    assert measured.cpu_ms == pytest.approx(600 / 12)


def test_targets_get_the_same_body_in_turn(echo):
    other = Target("other", echo.target.port, "/predictions/mnist")
    latencies = load.alternate([echo.target, other], BODIES, rounds=4)
    assert {name: len(values) for name, values in latencies.items()} == {"echo": 4, "other": 4}
    assert echo.bodies == [BODIES[0]] * 2 + [BODIES[1]] * 2 + [BODIES[2]] * 2 + [BODIES[0]] * 2


def test_answers_are_complete_and_in_order(echo):
    assert load.ask(echo.target, BODIES) == BODIES


def test_a_closed_connection_is_reopened(echo):
    echo.requests_of_a_connection = 2
    assert len(load.run(echo.target, BODIES, clients=2, seconds=10, warm_up_s=0, most=12).latencies_ms) == 12
    assert len(set(echo.ports)) >= 6
    assert load.ask(echo.target, BODIES) == BODIES


def test_an_error_response_ends_the_measurement(echo):
    echo.status = 503
    with pytest.raises(LoadError, match="503"):
        load.run(echo.target, [b"busy"], clients=1, seconds=5)
