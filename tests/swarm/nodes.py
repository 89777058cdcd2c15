"""Two nodes of a Swarm on one machine: the machine's engine, and a second one in a network namespace.

with swarm(folder) as node:
    node.docker("ps")
    node.lose_power()
    node.start()
"""

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fixtures.waiting import eventually

# Of a range that is reserved for benchmarks, so no network of the machine has these addresses.
FIRST_ADDRESS, SECOND_ADDRESS = "198.18.97.1", "198.18.97.2"
UP_WITHIN_S = 60


def run(*command: object, check: bool = True, data: bytes | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, input=data, check=False)
    if check:
        assert done.returncode == 0, f"{command}:\n{done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout.decode(errors="replace")


@dataclass
class Node:
    """The second engine."""

    name: str
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def socket(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def link(self) -> str:
        """The machine's end of the virtual cable between the nodes."""
        return f"{self.name[-12:]}a"

    def docker(self, *words: object, check: bool = True) -> str:
        return run("docker", "--host", self.socket, *words, check=check)

    def start(self) -> None:
        """Start the engine and plug the cable in."""
        run("ip", "link", "set", self.link, "up")
        run("ip", "netns", "exec", self.name, "ip", "link", "set", "eth0", "up")
        shutil.rmtree(self.folder / "exec", ignore_errors=True)
        (self.folder / "pid").unlink(missing_ok=True)
        with (self.folder / "dockerd.log").open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    ["nsenter", f"--net=/var/run/netns/{self.name}", "unshare", "--mount", "--uts", "sh", "-c",
                     f"hostname {self.name} && exec dockerd --host {self.socket} --data-root {self.folder}/data "
                     f"--exec-root {self.folder}/exec --pidfile {self.folder}/pid --no-new-privileges"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )
            )  # fmt: skip
        eventually(lambda: self.docker("version", check=False), UP_WITHIN_S)

    def processes(self) -> list[int]:
        """The engine, its containerd and the first process of each container."""
        containers = self.docker("ps", "--quiet", check=False).split()
        first = (
            self.docker("inspect", "--format", "{{.State.Pid}}", *containers).split() if containers else []
        )
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self.folder).encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found + [int(pid) for pid in first if int(pid) > 0]

    def lose_power(self) -> float:
        """Unplug the cable and kill every process at once. Returns the monotonic time afterwards."""
        processes = self.processes()
        run("ip", "link", "set", self.link, "down")
        for pid in processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.started:
            process.wait()
        self.started.clear()
        return time.monotonic()

    def load(self, images: list[str]) -> None:
        """Copy images of the machine's engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as save:
            subprocess.run(["docker", "--host", self.socket, "load", "--quiet"], stdin=save.stdout,
                           stdout=subprocess.DEVNULL, check=True)  # fmt: skip
        assert save.returncode == 0


@contextmanager
def swarm(folder: Path) -> Iterator[Node]:
    """A Swarm with the machine's engine as its manager. At the end, the second node is removed."""
    state = json.loads(run("docker", "info", "--format", "{{json .Swarm}}"))["LocalNodeState"]
    assert state == "inactive", f"the machine's engine is already in a Swarm ({state})"
    node = Node(f"mnist-{uuid.uuid4().hex[:6]}", folder)
    before = set(_networks())
    try:
        _connect(node)
        node.start()
        # Both nodes and the clients share the cores, so a node's heartbeat may be late.
        run("docker", "swarm", "init", "--advertise-addr", FIRST_ADDRESS, "--dispatcher-heartbeat", "10s")
        token = run("docker", "swarm", "join-token", "--quiet", "worker").strip()
        node.docker(
            "swarm", "join", "--token", token, "--advertise-addr", SECOND_ADDRESS, f"{FIRST_ADDRESS}:2377"
        )
        yield node
    finally:
        run("docker", "swarm", "leave", "--force", check=False)
        eventually(lambda: not run("docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.task"))
        if node.started:
            node.docker("swarm", "leave", "--force", check=False)
            node.lose_power()
        run("ip", "netns", "del", node.name, check=False)
        run("ip", "link", "del", node.link, check=False)
        for network in set(_networks()) - before:
            run("docker", "network", "rm", network, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _networks() -> list[str]:
    return run("docker", "network", "ls", "--format", "{{.Name}}").split()


def _connect(node: Node) -> None:
    """A network namespace and a cable to it."""
    run("ip", "netns", "add", node.name)
    run("ip", "link", "add", node.link, "type", "veth", "peer", "name", "eth0", "netns", node.name)
    run("ip", "addr", "add", f"{FIRST_ADDRESS}/24", "dev", node.link)
    inside = ("ip", "netns", "exec", node.name, "ip")
    run(*inside, "addr", "add", f"{SECOND_ADDRESS}/24", "dev", "eth0")
    run(*inside, "link", "set", "lo", "up")
