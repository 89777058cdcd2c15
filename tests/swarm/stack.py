"""The stack of a copy of this checkout, on the machine's engine and on a second node."""

import json
import os
import signal
from dataclasses import dataclass

from fixtures.waiting import eventually
from tests.containers.deployment import Deployment
from tests.swarm.nodes import Node, run

IMAGES = ("gateway", "page", "torchserve", "ops", "exporter", "s3")
REPLICAS = 4
LABELS = ("mnist.data", "mnist.gateway", "mnist.page")


@dataclass(frozen=True)
class Task:
    """A running task with its container. `node` is the second node, or None for the machine's engine."""

    service: str
    name: str
    node: Node | None
    container: str

    def docker(self, *words: object) -> str:
        return self.node.docker(*words) if self.node else run("docker", *words)

    def shell(self, script: str) -> str:
        return self.docker("exec", self.container, "sh", "-c", script)

    def inspect(self) -> dict:
        [description] = json.loads(self.docker("inspect", self.container))
        return description

    def kill(self) -> None:
        """Kill the main process from outside the engine."""
        os.kill(self.inspect()["State"]["Pid"], signal.SIGKILL)


@dataclass(frozen=True)
class Stack:
    """The deployed stack. The first node has every label, the second one the label of pages only."""

    deployment: Deployment
    second: Node

    @property
    def project(self) -> str:
        return self.deployment.project

    @property
    def address(self) -> str:
        return self.deployment.address

    def check_make(self, *words: str) -> str:
        return self.deployment.check_make(*words)

    def up(self) -> None:
        environment = self.deployment.environment
        # Sixteen Python processes start at once on two cores.
        environment |= {
            "RUNS_IN": "swarm",
            "WORKERS_UP_WITHIN_SECONDS": "600",
            "TORCHSERVE_REPLICAS": str(REPLICAS),
        }
        first = run("docker", "info", "--format", "{{.Name}}").strip()
        for label in LABELS:
            run("docker", "node", "update", "--label-add", f"{label}=true", first)
        run("docker", "node", "update", "--label-add", "mnist.page=true", self.second.name)
        self.check_make("secrets")
        self.deployment.compose(
            "-f", "docker-compose.yml", "-f", "deploy/swarm/commands.yml", "build", "--quiet"
        )
        self.second.load([self._tag(part) for part in IMAGES])
        self.check_make("up")

    def _tag(self, part: str) -> str:
        """Give an image a name with its id, as ops/swarm.sh does, and return the name."""
        built = f"mnist-{part}:{self.deployment.environment['TAG']}"
        id_ = run("docker", "image", "inspect", "--format", "{{.Id}}", built).strip()
        name = f"mnist-{part}:{id_.removeprefix('sha256:')[:12]}"
        run("docker", "tag", id_, name)
        return name

    def remove(self) -> None:
        label = f"label=com.docker.stack.namespace={self.project}"
        self.deployment.make("down")
        for volume in run("docker", "volume", "ls", "--quiet", "--filter", f"name={self.project}").split():
            eventually(lambda volume=volume: run("docker", "volume", "rm", "--force", volume))
        assert run("docker", "ps", "--all", "--quiet", "--filter", label) == ""
        images = run("docker", "image", "ls", "--quiet", "--filter", self.deployment.images_label).split()
        if images:
            run("docker", "image", "rm", "--force", *dict.fromkeys(images))

    def tasks(self, service: str) -> list[Task]:
        """The running containers of a service on both nodes."""
        filters = ("--filter", f"label=com.docker.swarm.service.name={self.project}_{service}")
        shown = ("ps", *filters, "--format", "{{.ID}} {{.Names}} {{.Status}}")
        lines = [(None, line) for line in run("docker", *shown).splitlines()]
        lines += [(self.second, line) for line in self.second.docker(*shown, check=False).splitlines()]
        healthy = [(node, *line.split()[:2]) for node, line in lines if "(healthy)" in line]
        return [Task(service, name, node, container) for node, container, name in healthy]

    def wait_until_complete(self, timeout_s: float = 600) -> None:
        eventually(lambda: self.deployment.make("status").returncode == 0, timeout_s)

    def rows(self, query: str) -> list[tuple]:
        """Rows of the database, which the machine cannot reach: the networks of a stack are for its tasks."""
        [postgres] = self.tasks("postgres")
        script = (
            "import json, pathlib, psycopg, sys\n"
            "password = pathlib.Path('/run/secrets/database_owner_password').read_text().strip()\n"
            "with psycopg.connect(host='postgres', port=8006, dbname='mnist', user='owner', password=password) as c:\n"
            "    print(json.dumps(c.execute(sys.argv[1]).fetchall(), default=str))"
        )
        return [
            tuple(row)
            for row in json.loads(postgres.docker("exec", postgres.container, "python", "-c", script, query))
        ]
