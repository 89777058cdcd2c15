"""Profile `registry`: an S3 server for archives and labels, and an MLflow server that receives runs and versions."""

import hashlib
from collections.abc import Iterator

import pytest
import requests

from ops.versions.state import RELEASED
from tests.containers.deployment import Deployment
from tests.containers.drawn import insert

VERSION = "1.0"
MLFLOW = "http://mlflow:5000"
SERVERS = {"s3": 8333, "mlflow": 5000}


# Before the servers start.


def test_a_missing_s3_server_gets_a_one_line_error(deployment: Deployment):
    done = deployment.make("pull", "VERSION=1.0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("The S3 store at http://s3:8333 failed: ")


def test_a_missing_mlflow_server_gets_a_one_line_error(deployment: Deployment):
    done = deployment.make("track")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(
        f"MLflow at {MLFLOW} was not updated; run 'make track' later: "
    )


@pytest.fixture(scope="module")
def registry(deployment: Deployment) -> Iterator[Deployment]:
    deployment.compose("--profile", "registry", "up", "--detach", "--build", "--wait", *SERVERS)
    deployment.with_another_version()
    yield deployment
    deployment.compose("--profile", "registry", "rm", "--force", "--stop", *SERVERS)


def test_an_archive_is_pushed_pulled_and_served(registry: Deployment):
    assert f"mnist-{VERSION}.mar is pushed" in registry.check_make("push", f"VERSION={VERSION}")
    registry.compose("run", "--rm", "--no-deps", "--entrypoint", "rm", "ops", f"/models/mnist-{VERSION}.mar")
    assert registry.make("swap", f"VERSION={VERSION}").returncode == 2
    output = registry.check_make("swap", f"VERSION={VERSION}", "FROM=s3")
    assert f"mnist-{VERSION}.mar is pulled" in output
    assert registry.predict().json()["model_version"] == VERSION
    assert f"{RELEASED} is the default again" in registry.check_make("rollback")


def test_labels_are_pushed_and_pulled_for_the_training_container(registry: Deployment):
    insert(registry, 3, day="2002-03-04")
    period = ("SINCE=2002-03-04", "UNTIL=2002-03-05")
    name = registry.check_make("push-labels", *period).split()[0]
    assert name.startswith("2002-03-04_2002-03-05_v1_3-drawings_sha256-")
    assert name in registry.check_make("pull-labels")
    assert f"/app/data/labels/{name} is pulled" in registry.check_make("pull-labels", f"NAME={name}")
    assert registry.check_make("push-labels", *period) == f"{name} is already in the store\n"
    # As the training container sees the volume `data`, whose owner writes MNIST into it.
    listed = registry.compose(
        *("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "ops"),
        *("-c", "ls data/labels && stat -c %U data && id -un"),
    )
    assert listed.split() == [name, "mnist", "mnist"]


def _mlflow(registry: Deployment, path: str, host: str = "localhost:5000", **query: str) -> requests.Response:
    """A request like that of a browser through ssh, with the host name localhost."""
    address = f"http://{registry.ip('mlflow', 'registry')}:{SERVERS['mlflow']}/api/2.0/{path}"
    return requests.get(address, params=query, headers={"Host": host}, timeout=30)


def _champion(registry: Deployment) -> dict:
    """The version of an alias."""
    answer = _mlflow(registry, "mlflow/registered-models/alias", name="mnist", alias="champion")
    answer.raise_for_status()
    return answer.json()["model_version"]


def test_mlflow_receives_aliases_and_archives(registry: Deployment):
    output = registry.check_make("swap", f"VERSION={VERSION}", MLFLOW_TRACKING_URI=MLFLOW)
    assert f"MLflow: alias champion set to {VERSION}" in output
    champion = _champion(registry)
    assert {"key": "version", "value": VERSION} in champion["tags"]
    folder = champion["source"].removeprefix("mlflow-artifacts:/")
    kept = _mlflow(registry, f"mlflow-artifacts/artifacts/{folder}/mnist-{VERSION}.mar")
    served = registry.run(
        "docker", "compose", "exec", "-T", "torchserve", "sha256sum", f"/models/mnist-{VERSION}.mar"
    )
    assert hashlib.sha256(kept.content).hexdigest() == served.stdout.split()[0]

    assert f"MLflow: alias champion set to {RELEASED}" in registry.check_make(
        "rollback", MLFLOW_TRACKING_URI=MLFLOW
    )
    registry.compose(
        "--profile", "registry", "up", "--detach", "--wait", "--no-deps", "--force-recreate", "mlflow"
    )
    assert {"key": "version", "value": RELEASED} in _champion(registry)["tags"]
    assert registry.check_make("track") == ""  # everything was sent before


def test_mlflow_accepts_only_its_own_host_names(registry: Deployment):
    assert _mlflow(registry, "mlflow/registered-models/get", name="mnist").status_code != 403
    assert (
        _mlflow(registry, "mlflow/registered-models/get", "elsewhere.example", name="mnist").status_code
        == 403
    )


@pytest.mark.parametrize("server", SERVERS)
def test_ops_reaches_the_servers(registry: Deployment, server):
    script = f"import socket; socket.create_connection(('{registry.ip(server, 'registry')}', {SERVERS[server]}), 2)"
    registry.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "python", "ops", "-c", script)


@pytest.mark.parametrize("source", ["gateway", "page", "deliverer", "postgres", "torchserve"])
@pytest.mark.parametrize("server", SERVERS)
def test_serving_parts_do_not_reach_the_servers(registry: Deployment, source, server):
    assert not registry.can_connect(source, registry.ip(server, "registry"), SERVERS[server])
