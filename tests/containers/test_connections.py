"""Connections between containers: the allowed ones succeed, and all others fail."""

import pytest

from tests.containers.deployment import Deployment

# Address of a service on its network, and its clients.
DATABASE = ("postgres", "database", 8006)
INFERENCE = ("torchserve", "inference", 8002)
MANAGEMENT = ("torchserve", "management", 8003)
PAGE = ("page", "inner", 8005)
INNER = ("gateway", "inner", 8001)
METRICS = ("torchserve", "metrics", 8004)
OPEN = [
    ("page", DATABASE), ("deliverer", DATABASE), ("page", INNER), ("gateway", INFERENCE), ("gateway", PAGE),
    ("exporter", METRICS), ("exporter", DATABASE), ("exporter", INNER),
]  # fmt: skip
CLOSED = [
    ("gateway", DATABASE), ("torchserve", DATABASE),
    ("page", INFERENCE), ("deliverer", INFERENCE), ("postgres", INFERENCE),
    ("gateway", MANAGEMENT), ("page", MANAGEMENT), ("deliverer", MANAGEMENT), ("postgres", MANAGEMENT),
    ("deliverer", PAGE), ("postgres", PAGE), ("torchserve", PAGE),
    ("deliverer", INNER), ("postgres", INNER), ("torchserve", INNER),
    ("gateway", METRICS), ("page", METRICS), ("exporter", INFERENCE), ("exporter", MANAGEMENT),
]  # fmt: skip


@pytest.mark.parametrize(("source", "listener"), OPEN, ids=str)
def test_a_client_reaches_its_service(deployment: Deployment, source, listener):
    service, network, port = listener
    assert deployment.can_connect(source, deployment.ip(service, network), port)


@pytest.mark.parametrize(("source", "listener"), CLOSED, ids=str)
def test_no_other_container_reaches_a_service(deployment: Deployment, source, listener):
    service, network, port = listener
    assert not deployment.can_connect(source, deployment.ip(service, network), port)
    # Nor at any other address of the service.
    for other in deployment.inspect(service)["NetworkSettings"]["Networks"].values():
        assert not deployment.can_connect(source, other["IPAddress"], port)


@pytest.mark.parametrize("port", [8007, 8008])
@pytest.mark.parametrize("network", ["inference", "management", "metrics"])
def test_grpc_is_reachable_only_inside_torchserve(deployment: Deployment, network, port):
    assert deployment.can_connect("torchserve", "127.0.0.1", port)
    assert not deployment.can_connect("torchserve", deployment.ip("torchserve", network), port)


@pytest.mark.parametrize(("network", "port"), [("inference", 8002), ("management", 8003), ("metrics", 8004)])
def test_each_listener_of_torchserve_is_on_one_network(deployment: Deployment, network, port):
    address = deployment.ip("torchserve", network)
    assert [
        other for other in (8002, 8003, 8004) if deployment.can_connect("torchserve", address, other)
    ] == [port]


@pytest.mark.parametrize("source", ["page", "deliverer", "postgres", "torchserve"])
def test_internal_services_reach_no_outside_address(deployment: Deployment, source):
    # The server itself, at its address in the gateway's public network.
    network = deployment.inspect("gateway")["NetworkSettings"]["Networks"][f"{deployment.project}_public"]
    server, port = network["Gateway"], int(deployment.environment["HTTPS_PORT"])
    assert deployment.can_connect("gateway", server, port)
    assert not deployment.can_connect(source, server, port)


def test_the_engine_publishes_only_the_gateway(deployment: Deployment):
    shown = deployment.compose("ps", "--format", "{{.Service}} {{.Publishers}}")
    published = {line.split()[0] for line in shown.splitlines() if "0.0.0.0" in line}  # noqa: S104
    assert published == {"gateway"}


@pytest.mark.parametrize("path", ["/models", "/models/mnist", "/metrics", "/predictions/../models", "/split"])
def test_the_gateway_forwards_no_management_request(deployment: Deployment, path):
    done = deployment.run(
        "curl", "--path-as-is", "--silent", "--cacert", str(deployment.certificate), "--write-out", "%{http_code}",
        deployment.address + path,
    )  # fmt: skip
    assert "modelVersion" not in done.stdout
    assert done.stdout[-3:] in ("400", "404") or path == "/split"  # the page serves all other paths


def test_the_page_can_write_answers_but_not_delete(deployment: Deployment):
    script = (
        "import psycopg, pathlib\n"
        "password = pathlib.Path('/run/secrets/database_page_password').read_text().strip()\n"
        "with psycopg.connect('postgresql://page@postgres:8006/mnist', password=password) as c:\n"
        "    c.execute('{}')"
    )
    assert deployment.python("page", script.format("SELECT count(*) FROM predictions")).returncode == 0
    for forbidden in (
        "DELETE FROM predictions",
        "DROP TABLE predictions",
        "CREATE TABLE x (y int)",
        "SELECT lo_creat(-1)",
    ):
        assert "InsufficientPrivilege" in deployment.python("page", script.format(forbidden)).stderr
