"""Rate limits slow down only clients with too many requests. Each client is a container with its own address."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.containers.deployment import SEVEN, Deployment

SECONDS = 20
MOST_TIMES_SLOWER = 3.0
CLIENT = Path(__file__).with_name("client.py")
LIMITED = {"RATE_LIMIT_PER_SECOND": "20"}


@pytest.fixture(scope="module")
def limited(deployment: Deployment) -> Iterator[Deployment]:
    """The gateway with its default rate limit."""
    deployment.compose("up", "--detach", "--wait", "--no-build", "--no-deps", "gateway", **LIMITED)
    yield deployment
    deployment.compose("up", "--detach", "--wait", "--no-build", "--no-deps", "gateway")


def _client(deployment: Deployment, what: str) -> "subprocess.Popen[str]":
    image = deployment.inspect("postgres")["Config"]["Image"]  # it has Python and requests
    command = [
        *("docker", "run", "--rm", "--interactive", "--network", f"{deployment.project}_public"),
        *("--name", f"{deployment.project}-{what}", "--entrypoint", "python", image, "-", what, str(SECONDS)),
    ]
    with CLIENT.open() as script:
        return subprocess.Popen(command, stdin=script, stdout=subprocess.PIPE, text=True)


def _read_results(client: "subprocess.Popen[str]") -> dict:
    output, _ = client.communicate(timeout=SECONDS + 60)
    assert client.returncode == 0
    return json.loads(output)


def test_a_flood_and_a_hundred_slow_clients_do_not_delay_others(
    limited: Deployment,
):
    alone = _read_results(_client(limited, "honest"))
    flood, slow = _client(limited, "flood"), _client(limited, "slow")
    beside = _read_results(_client(limited, "honest"))
    flooded, slowed = _read_results(flood), _read_results(slow)
    print({"alone": alone, "beside": beside, "flood": flooded, "slow": slowed})
    assert alone["statuses"].keys() == beside["statuses"].keys() == {"200"}
    # The client sent ten times the limit; the gateway answered the limit and a burst.
    assert sum(flooded["statuses"].values()) >= 150 * SECONDS
    assert flooded["statuses"]["200"] <= 20 * (SECONDS + 2) + 40
    assert slowed["held"] == 100
    assert beside["p99_ms"] < MOST_TIMES_SLOWER * alone["p99_ms"]


def _burst(deployment: Deployment) -> Counter[int]:
    """Sixty concurrent requests, each with another forwarded address."""
    with requests.Session() as session:
        return Counter(
            session.post(
                f"{deployment.address}/predict",
                SEVEN,
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
                timeout=30,
                verify=deployment.certificate,
            ).status_code
            for number in range(80)
        )


def test_a_forwarded_address_is_accepted_only_from_the_trusted_proxy(limited: Deployment):
    assert _burst(limited)[429] > 0
    networks = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16"
    limited.compose(
        "up", "--detach", "--wait", "--no-build", "--no-deps", "gateway", TRUSTED_PROXY=networks, **LIMITED
    )
    assert _burst(limited) == {200: 80}


def test_an_invalid_proxy_address_gets_a_one_line_error(limited: Deployment):
    done = limited.run(
        "docker", "compose", "run", "--rm", "--no-deps", "--env", "TRUSTED_PROXY=x; y", "gateway", "check"
    )
    assert done.returncode != 0
    assert "TRUSTED_PROXY 'x; y' is not a list of addresses or networks" in done.stderr + done.stdout
