"""Profile `registry`: an archive goes into the S3 server, is gone here, and comes back to be served."""

from collections.abc import Iterator

import pytest

from tests.containers.deployment import Deployment

VERSION = "1.0"


@pytest.fixture
def registry(deployment: Deployment) -> Iterator[Deployment]:
    deployment.compose("--profile", "registry", "up", "--detach", "--build", "--wait", "s3")
    yield deployment
    deployment.compose("--profile", "registry", "rm", "--force", "--stop", "s3")


def test_an_archive_is_pushed_pulled_and_served(registry: Deployment):
    registry.with_another_version()
    assert f"mnist-{VERSION}.mar is pushed" in registry.made("push", f"VERSION={VERSION}")
    registry.compose("run", "--rm", "--no-deps", "--entrypoint", "rm", "ops", f"/models/mnist-{VERSION}.mar")
    assert registry.make("swap", f"VERSION={VERSION}").returncode == 2
    said = registry.made("swap", f"VERSION={VERSION}", "FROM=s3")
    assert f"mnist-{VERSION}.mar is pulled" in said
    assert registry.predict().json()["model_version"] == VERSION
    assert "1.1 serves again" in registry.made("rollback")


def test_without_the_server_it_says_so_in_one_line(deployment: Deployment):
    done = deployment.make("pull", "VERSION=1.0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("The store at http://s3:8333 does not do it: ")
