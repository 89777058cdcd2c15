"""The commands of `make` with RUNS_IN=swarm, with a `docker` that logs its arguments and answers from files."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LABELS = "mnist.data=true mnist.gateway=true mnist.page=true"
# Each test starts about a hundred short processes, too many for `make check`.
pytestmark = pytest.mark.service
COMPLETE = "mnist_page 2/2\nmnist_torchserve 4/4 (max 2 per node)\nmnist_migrations 0/1 (1/1 completed)"
IMAGE_ID = "sha256:" + "0123456789ab" * 5 + "0123"
PARTS = ("gateway", "page", "torchserve", "ops", "exporter", "s3")
# The answers to the commands that ops/swarm.sh asks. A file `NAME.2` is the answer from the second time on.
FAKE = """#!/bin/bash
echo "$*" >> docker.log
answer() { cat "answers/$1" 2>/dev/null; [ ! -e "answers/$1.2" ] || mv "answers/$1.2" "answers/$1"; }
case "$*" in
  info*ControlAvailable*) answer manager ;;
  "node ls"*) echo n1 ;;
  "node inspect"*) answer labels ;;
  "stack services"*--format*) answer services ;;
  "stack services"*) echo s1 ;;
  "service inspect"*) answer updates ;;
  "stack ps"*desired-state=ready*) answer tasks ;;
  "stack ps"*) echo NAME ;;
  "stack deploy"*) env | grep -E '_(SUM|TAG)=|^TORCHSERVE_REPLICAS|^IMAGES=' | sort > deployed.env ;;
  "image inspect"*RepoDigests*|"image inspect "*@*) exit 1 ;;
  "image inspect"*) answer image ;;
  "compose "*" run "*) echo "$COMPOSE_FILE" > compose_file ;;
  "network ls"*) answer networks ;;
esac
"""


@dataclass(frozen=True)
class Manager:
    """A checkout on a manager of a Swarm."""

    folder: Path

    def answers(self, **answers: str) -> None:
        for name, text in answers.items():
            (self.folder / "answers" / name.replace("_2", ".2")).write_text(text + "\n" if text else "")

    def run(self, *words: str, complete_within_s: int = 60) -> subprocess.CompletedProcess[str]:
        times = {"COMPLETE_WITHIN_S": str(complete_within_s), "POLL_INTERVAL_S": "0.1"}
        return subprocess.run(
            ["ops/containers.sh", *words],
            cwd=self.folder,
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}", **times},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def docker_log(self) -> list[str]:
        """The arguments of each call of `docker`."""
        return (self.folder / "docker.log").read_text().splitlines()

    def deployed(self) -> dict[str, str]:
        """The variables of the last `docker stack deploy`."""
        lines = (self.folder / "deployed.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def manager(tmp_path):
    for name in ("ops/containers.sh", "ops/swarm.sh", "ops/readable_logs.sed", "docker-compose.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    (tmp_path / ".env").write_text("RUNS_IN=swarm\n")
    secrets = tmp_path / "var" / "secrets"
    secrets.mkdir(parents=True)
    for name in re.findall(r"SECRETS=\((.+)\)", (ROOT / "ops" / "containers.sh").read_text())[0].split():
        (secrets / name).write_text("secret")
    (tmp_path / "answers").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(FAKE)
    docker.chmod(0o755)
    manager = Manager(tmp_path)
    manager.answers(
        manager="true", labels=LABELS, services=COMPLETE, updates="mnist_page completed", image=IMAGE_ID
    )
    return manager


def test_up_deploys_the_stack_with_the_images_that_were_built(manager):
    done = manager.run("up")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Ready: draw a digit at https://localhost\n")
    # Several services have the same image, and a build for each would give it another id.
    assert f"compose build --quiet {' '.join(PARTS)}" in manager.docker_log()
    [deploy] = [line for line in manager.docker_log() if line.startswith("stack deploy")]
    assert "--resolve-image never --compose-file deploy/swarm/stack.yml mnist" in deploy
    for part in PARTS:
        assert f"tag {IMAGE_ID} mnist-{part}:0123456789ab" in manager.docker_log()
        assert manager.deployed()[f"{part.upper()}_TAG"] == "0123456789ab"


def test_up_reads_the_variables_of_the_stack_from_the_file_of_settings(manager):
    with (manager.folder / ".env").open("a") as file:
        file.write("TORCHSERVE_REPLICAS=7\nHTTPS_PORT=8443\nSERVER_NAME=digits.example.org\n")
    done = manager.run("up")
    assert manager.deployed()["TORCHSERVE_REPLICAS"] == "7"
    assert done.stdout.endswith("https://digits.example.org:8443\n")


def test_images_of_a_registry_are_named_by_their_signed_digests(manager):
    with (manager.folder / ".env").open("a") as file:
        file.write("IMAGES=registry.example.org/mnist\nTAG=v1.2\n")
    digests = "".join(f"{part} sha256:{part}\n" for part in PARTS)
    (manager.folder / "var" / "digests-v1.2").write_text(digests)
    done = manager.run("up")
    assert done.returncode == 0, done.stderr
    assert manager.deployed()["PAGE_TAG"] == "v1.2@sha256:page"
    assert manager.deployed()["IMAGES"] == "registry.example.org/mnist"
    assert any("--resolve-image always" in line for line in manager.docker_log())


def test_a_changed_secret_has_another_name(manager):
    manager.run("up")
    before = manager.deployed()
    (manager.folder / "var" / "secrets" / "operator_password").write_text("another")
    manager.run("up")
    changed = {name for name, value in manager.deployed().items() if value != before[name]}
    assert changed == {"OPERATOR_PASSWORD_SUM"}


def test_a_certificate_is_added_to_the_stack(manager):
    tls = manager.folder / "var" / "secrets" / "tls"
    tls.mkdir()
    for name in ("fullchain.pem", "privkey.pem"):
        (tls / name).write_text(name)
    manager.run("up")
    [deploy] = [line for line in manager.docker_log() if line.startswith("stack deploy")]
    assert "--compose-file deploy/swarm/certificate.yml" in deploy
    assert {"CERTIFICATE_SUM", "PRIVATE_KEY_SUM"} <= manager.deployed().keys()


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"manager": "false"}, "RUNS_IN=swarm needs a manager of a Swarm on this machine. Make one: docker swarm init"),
        ({"labels": LABELS.replace("mnist.page=true", "")},
         "No node has the label mnist.page. Choose one: docker node update --label-add mnist.page=true NODE"),
        ({"labels": f"{LABELS}\nmnist.data=true"},
         "2 nodes have the label mnist.data, but the database has its files on one node."),
    ],
)  # fmt: skip
def test_up_refuses_a_swarm_in_which_it_cannot_run(manager, answers, says):
    manager.answers(**answers)
    done = manager.run("up")
    assert done.returncode == 1
    assert done.stderr.startswith(says)
    assert not (manager.folder / "deployed.env").exists()


def test_up_waits_for_every_replica_every_job_and_every_update(manager):
    manager.answers(
        services=COMPLETE.replace("4/4", "3/4").replace("1/1 completed", "0/1 completed"),
        services_2=COMPLETE,
        updates="mnist_page updating",
        updates_2="mnist_page completed",
    )
    assert manager.run("up").returncode == 0
    assert (
        len([line for line in manager.docker_log() if line.startswith("stack services mnist --format")]) >= 2
    )


@pytest.mark.parametrize(
    ("services", "updates", "names"),
    [
        ("mnist_page 1/1", "mnist_page", "mnist_torchserve"),
        (COMPLETE.replace("4/4", "3/4"), "mnist_page completed", "mnist_torchserve"),
        (COMPLETE.replace("1/1 completed", "0/1 completed"), "mnist_page completed", "mnist_migrations"),
        (COMPLETE, "mnist_page updating", "mnist_page"),
    ],
)
def test_up_names_the_services_that_are_not_complete_in_time(manager, services, updates, names):
    # In the first case, a replica waits for its next start, and the number of replicas does not have it.
    waits = (
        "mnist_page.1 Running\nmnist_torchserve.2 Preparing 4 seconds ago"
        if "torchserve" not in services
        else ""
    )
    manager.answers(services=services, updates=updates, tasks=waits)
    done = manager.run("up", complete_within_s=0)
    assert done.returncode == 1
    assert done.stderr == f"After 0 s not complete: {names}. See: make status, make logs\n"
    done = manager.run("status")
    assert done.returncode == 1
    assert done.stderr == f"Not complete: {names}. For the cause run: make logs\n"


def test_up_fails_if_swarm_has_returned_to_the_previous_configuration(manager):
    manager.answers(updates="mnist_page completed\nmnist_torchserve rollback_completed")
    done = manager.run("up")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "The new tasks of mnist_torchserve failed, and the previous configuration runs again."
    )


def test_status_prints_tasks_and_address(manager):
    done = manager.run("status")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "NAME\n\nhttps://localhost\n"


@pytest.mark.parametrize(
    "words", [("models",), ("swap", "1.2"), ("rollback",), ("canary", "1.2", "10"), ("promote",)]
)
def test_a_command_on_versions_runs_in_the_networks_of_the_stack(manager, words):
    done = manager.run(*words)
    assert done.returncode == 0, done.stderr
    assert f"run --rm --no-deps -T ops ops {' '.join(words)}" in manager.docker_log()[-1]
    assert (manager.folder / "compose_file").read_text() == "docker-compose.yml:deploy/swarm/commands.yml\n"


@pytest.mark.parametrize("command", ["push", "pull"])
def test_push_and_pull_run_in_a_container_of_ops(manager, command):
    manager.run(command, "1.2")
    assert manager.docker_log()[-1].endswith(f"ops ops.integrations.registry {command} 1.2")


def test_a_rotation_deploys_the_new_secret_and_replaces_its_readers(manager):
    manager.run("up")
    before = manager.deployed()["DATABASE_PAGE_PASSWORD_SUM"]
    done = manager.run("secrets", "database_page_password")
    assert done.returncode == 0, done.stderr
    assert manager.deployed()["DATABASE_PAGE_PASSWORD_SUM"] != before
    for reader in ("page", "deliverer"):
        assert f"service update --force --detach --quiet mnist_{reader}" in manager.docker_log()


def test_down_waits_until_the_networks_are_removed(manager):
    manager.answers(networks="n1", networks_2="")
    done = manager.run("down")
    assert done.returncode == 0, done.stderr
    assert manager.docker_log()[-1].startswith(
        "container prune --force --filter label=com.docker.stack.namespace=mnist"
    )
    assert [line.split()[:2] for line in manager.docker_log()[-4:-1]] == [
        ["stack", "rm"],
        ["network", "ls"],
        ["network", "ls"],
    ]


@pytest.mark.parametrize("command", ["upgrade", "undo"])
def test_upgrade_and_undo_are_refused_with_the_commands_for_a_swarm(manager, command):
    done = manager.run(command)
    assert done.returncode == 2
    assert done.stderr.startswith(f"make {command} needs RUNS_IN=containers; in a Swarm: ")


def test_an_unknown_command_is_refused(manager):
    done = manager.run("fly")
    assert done.returncode == 1
    assert done.stderr == "'fly' is not a command for containers. See: make help\n"
