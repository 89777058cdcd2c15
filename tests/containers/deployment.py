"""The containers of a clean copy of this checkout, with separate project name, ports and secrets."""

import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from fixtures.ports import free_ports
from fixtures.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
MAIN = ("postgres", "torchserve", "page", "deliverer", "gateway", "exporter")
UP_WITHIN_S = 600
CONNECTS_WITHIN_S = 2
FIRST_PORT = 30_000


@dataclass(frozen=True)
class Deployment:
    """A deployment. `make` and `docker compose` run in its folder and with its environment."""

    folder: Path
    environment: dict[str, str]

    @property
    def project(self) -> str:
        return self.environment["COMPOSE_PROJECT_NAME"]

    @property
    def images_label(self) -> str:
        """The engine's filter for the images of this project."""
        return f"label=com.docker.compose.project={self.project}"

    @property
    def address(self) -> str:
        return f"https://localhost:{self.environment['HTTPS_PORT']}"

    @property
    def plain_address(self) -> str:
        return f"http://localhost:{self.environment['HTTP_PORT']}"

    @property
    def certificate(self) -> Path:
        """The gateway's self-signed certificate."""
        path = self.folder / "self-signed.pem"
        if not path.exists():
            path.write_text(self.shell("gateway", "cat /certificate/fullchain.pem").stdout)
        return path

    @property
    def database(self) -> str:
        """The owner's connection string, for a client on the engine's machine."""
        password = (self.folder / "var/secrets/database_owner_password").read_text().strip()
        return f"postgresql://owner:{password}@{self.ip('postgres', 'database')}:8006/mnist"

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=UP_WITHIN_S,
            check=False,
        )

    def make(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run("make", *words, **more)

    def check_make(self, *words: str, **more: str) -> str:
        """The output of a `make` command that must succeed."""
        done = self.make(*words, **more)
        assert done.returncode == 0, f"make {' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def compose(self, *words: str, **more: str) -> str:
        done = self.run("docker", "compose", *words, **more)
        assert done.returncode == 0, f"docker compose {' '.join(words)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def inspect(self, service: str) -> dict:
        [description] = json.loads(self.run("docker", "inspect", self.container(service)).stdout)
        return description

    def ip(self, service: str, network: str) -> str:
        return self.inspect(service)["NetworkSettings"]["Networks"][f"{self.project}_{network}"]["IPAddress"]

    def shell(self, service: str, script: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell in a running container."""
        return self.run("docker", "compose", "exec", "-T", service, "sh", "-c", script)

    def python(self, service: str, script: str) -> subprocess.CompletedProcess[str]:
        return self.run("docker", "compose", "exec", "-T", service, "python", "-c", script)

    def can_connect(self, source: str, host: str, port: int) -> bool:
        """Whether a running container can connect to the address."""
        if source == "gateway":  # this image has no Python
            return not self.shell(
                source, f"timeout {CONNECTS_WITHIN_S} bash -c ': </dev/tcp/{host}/{port}'"
            ).returncode
        script = f"import socket; socket.create_connection(('{host}', {port}), {CONNECTS_WITHIN_S})"
        return not self.python(source, script).returncode

    def predict(self, body: bytes = SEVEN, **headers: str) -> requests.Response:
        return requests.post(
            f"{self.address}/predictions/mnist",
            data=body,
            headers=headers,
            timeout=30,
            verify=self.certificate,
        )

    def answering_version(self) -> str:
        """Raises RuntimeError, which `eventually` does not retry, without an answer."""
        response = self.predict()
        if not response.ok:
            raise RuntimeError(f"{response.status_code} {response.text}")
        return response.json()["model_version"]

    def rows(self, query: str, *values: object) -> list[tuple]:
        with psycopg.connect(self.database, connect_timeout=5) as connection:
            return connection.execute(query, values).fetchall()

    def with_another_version(self) -> None:
        """Pack version 1.0 in the serving image and put it into the model store."""
        if self.shell("torchserve", "test -e /models/mnist-1.0.mar").returncode:
            output = self.check_make("archive", "VERSION=1.0", "CHECKPOINT=training/release/mnist-1.0.pt")
            assert "reads the ten known digits" in output

    def is_healthy(self) -> bool:
        return all(self._health(service) == "healthy" for service in MAIN)

    def wait_until_healthy(self, timeout_s: float = 120) -> None:
        eventually(self.is_healthy, timeout_s)

    def _health(self, service: str) -> str:
        return self.run(
            "docker", "inspect", "--format", "{{.State.Health.Status}}", self.container(service)
        ).stdout.strip()

    def logs(self) -> str:
        return self.run("docker", "compose", "--profile", "*", "logs", "--no-color").stdout


@contextmanager
def copy_checkout(folder: Path) -> Iterator[Deployment]:
    """A deployment that is not started; at the end, its containers, volumes, networks and images are removed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    _build_on_local_images(folder)
    name = f"mnist-test-{uuid.uuid4().hex[:8]}"
    port = free_ports(FIRST_PORT, 2)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "SYSTEM_"))},
        "COMPOSE_PROJECT_NAME": name,
        "TAG": name,
        "RUNS_IN": "containers",
        "HTTP_PORT": str(port),
        "HTTPS_PORT": str(port + 1),
        "RATE_LIMIT_PER_SECOND": "0",
    }
    environment.pop("MAKEFLAGS", None)
    environment.pop("IMAGES", None)
    deployment = Deployment(folder, environment)
    try:
        yield deployment
    finally:
        deployment.run("docker", "compose", "--profile", "*", "down", "--volumes", "--remove-orphans")
        tags = [line for line in _images() if line.endswith((f":{name}", f":{name}-before"))]
        if tags:
            deployment.run("docker", "image", "rm", "--force", *tags)
        deployment.run("docker", "image", "prune", "--force", "--filter", deployment.images_label)
    left = deployment.run("docker", "ps", "--all", "--quiet", "--filter", f"name={name}").stdout
    left += deployment.run("docker", "volume", "ls", "--quiet", "--filter", f"name={name}").stdout
    assert left == ""


@contextmanager
def up(folder: Path) -> Iterator[Deployment]:
    """A healthy deployment."""
    with copy_checkout(folder) as deployment:
        deployment.check_make("secrets")
        started = time.monotonic()
        deployment.compose("up", "--detach", "--build", "--wait")
        print(f"docker compose up --build --wait: {time.monotonic() - started:.0f} s")
        yield deployment


def _build_on_local_images(folder: Path) -> None:
    """Remove the digest of base images whose tag exists locally, because a local stand-in has another digest."""
    local = _images()
    for path in (*folder.glob("*/*Dockerfile"), folder / "docker-compose.yml"):
        text = path.read_text(encoding="utf-8")
        for tag, digest in re.findall(r"^(?:FROM| *image:) (\S+)(@sha256:\w+)", text, re.MULTILINE):
            if tag in local:
                text = text.replace(tag + digest, tag)
        path.write_text(text, encoding="utf-8")


def _images() -> list[str]:
    done = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.split()
