"""deploy/swarm/stack.yml, compared with docker-compose.yml field by field, without a container engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
SWARM = ROOT / "deploy" / "swarm"


def _load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


COMPOSE, STACK = _load(ROOT / "docker-compose.yml"), _load(SWARM / "stack.yml")
SERVICES: dict[str, dict] = STACK["services"]
PERMANENT = {name for name, service in SERVICES.items() if "job" not in service["deploy"].get("mode", "")}
# `docker stack deploy` applies these fields. It ignores others, some of them without a warning: security_opt, shm_size,
# restart, depends_on, short tmpfs.
APPLIED = {
    "image", "command", "entrypoint", "environment", "secrets", "networks", "extra_hosts", "volumes", "ports",
    "healthcheck", "deploy", "read_only", "cap_drop", "init", "logging", "stop_grace_period", "stop_signal",
    "sysctls",
}  # fmt: skip
# Fields of docker-compose.yml that a stack file does not need.
WITHOUT_A_COUNTERPART = {
    "build": "`make up` builds the images with docker-compose.yml",
    "depends_on": "Swarm starts services in any order; the names of healthy tasks alone resolve",
    "profiles": "the stack has no service on demand",
    "shm_size": "64 MiB is the engine's default",
    "security_opt": "Swarm has no such field; the engine's configuration has it (docs/operations.md)",
}
DATA, GATEWAY, PAGE = (f"node.labels.mnist.{name} == true" for name in ("data", "gateway", "page"))
FILES_OF_ONE_TASK = {"postgres", "s3", "exporter"}


def _bytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mMgG])", size).groups()
    return int(number) * {"m": 2**20, "g": 2**30}[unit.lower()]


def _mounts(service: dict) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in service.get("tmpfs", ()):
        target, size = entry.split(":size=")
        found[f"tmpfs {target}"] = _bytes(size)
    for entry in service.get("volumes", ()):
        if isinstance(entry, str):
            source, target, *mode = entry.split(":")
            found[f"volume {target}"] = ":".join([source, *mode])
        elif entry["type"] == "tmpfs":
            found[f"tmpfs {entry['target']}"] = entry["tmpfs"]["size"]
        else:
            found[f"bind {entry['target']}"] = entry["source"]
    return found


def _ports(service: dict) -> list[str]:
    return [
        port if isinstance(port, str) else f"{port['published']}:{port['target']}"
        for port in service.get("ports", ())
    ]


def _fields(service: dict) -> dict[str, object]:
    """The fields of a service under the same names and in the same units for both files."""
    deploy = service.get("deploy", {})
    limits = deploy.get("resources", {}).get("limits", {})
    networks = service.get("networks", service.get("network_mode", ()))
    networks = [networks] if isinstance(networks, str) else networks
    aliases = networks if isinstance(networks, dict) else {}
    restarts = {"unless-stopped": "any", "no": "on-failure"}
    return {
        "image": re.sub(r"\$\{([A-Z0-9]+_)?TAG", "${TAG", service["image"]),
        **{name: service.get(name) for name in ("command", "entrypoint", "read_only", "cap_drop", "init")},
        **{name: service.get(name) for name in ("stop_signal", "user", "cpuset")},
        "memory": _bytes(service.get("mem_limit") or limits["memory"]),
        "cpus": float(service.get("cpus") or limits["cpus"]),
        "pids": service.get("pids_limit") or limits["pids"],
        "restart": restarts.get(
            service.get("restart", ""), deploy.get("restart_policy", {}).get("condition")
        ),
        "stop_grace_period": service.get("stop_grace_period"),
        "ports": _ports(service),
        **{f"logging {name}": value for name, value in service["logging"]["options"].items()},
        **{f"sysctl {name}": value for name, value in service.get("sysctls", {}).items()},
        **{f"environment {name}": value for name, value in service.get("environment", {}).items()},
        **{f"secret {name}": True for name in service.get("secrets", ())},
        **{f"network {name}": (aliases.get(name) or {}).get("aliases", []) for name in networks},
        **{f"healthcheck {name}": value for name, value in service.get("healthcheck", {}).items()},
        **_mounts(service),
    }


def _differences(name: str) -> dict[str, tuple[object, object]]:
    """The fields in which both files differ, with the values of docker-compose.yml and of stack.yml."""
    ours, theirs = _fields(COMPOSE["services"][name]), _fields(SERVICES[name])
    both = {field: (ours.get(field), theirs.get(field)) for field in (ours | theirs)}
    return {field: values for field, values in both.items() if values[0] != values[1]}


S3 = {
    "environment VERSIONS_IN": (None, "s3"),
    "environment S3_ENDPOINT": (None, "${S3_ENDPOINT:-http://s3:8333}"),
    "environment S3_BUCKET": (None, "${S3_BUCKET:-models}"),
    "environment S3_REGION": (None, "${S3_REGION:-us-east-1}"),
    "environment S3_ACCESS_KEY": (None, "${S3_ACCESS_KEY:-models}"),
    "environment S3_SECRET_KEY_FILE": (None, "/run/secrets/s3_secret_key"),
    "secret s3_secret_key": (None, True),
    "network registry": (None, []),
}
# Each difference from docker-compose.yml, grouped by its reason: service, field, then both values.
EXPECTED: dict[str, dict[str, dict[str, tuple[object, object]]]] = {
    "Alloy selects log lines by these labels, and it is not part of the stack": {
        name: {"logging labels": ("com.docker.compose.service,com.docker.compose.project", None)}
        for name in SERVICES
        if name != "split"
    },
    "before its health check passes, its name has only the addresses of other gateways": {
        "gateway": {"environment INNER_HOST": (None, "${INNER_NETWORK:-10.90.0}.")},
    },
    "another machine that loses power closes no connection": {
        "gateway": {
            "sysctl net.ipv4.tcp_keepalive_time": (None, 15),
            "sysctl net.ipv4.tcp_keepalive_intvl": (None, 5),
            "sysctl net.ipv4.tcp_keepalive_probes": (None, 3),
            "sysctl net.ipv4.tcp_retries2": (None, 6),
        },
    },
    "all machines share the desired state and the archives": {"torchserve": S3},
    "the controller downloads archives, and a node's replicas share them": {
        "torchserve": {"volume /models": ("models:ro", "models")},
    },
    "each replica has its own state, and reports under its own name": {
        "torchserve": {
            "volume /state": ("state", "torchserve"),
            "environment REPLICA_NAME": (None, "{{.Task.Name}}"),
        },
    },
    "the exporter may be on another node, where it cannot read the workers' files": {
        "torchserve": {"volume /state/metrics": ("metrics", None)},
    },
    "only a replica's own controller uses its management API": {
        "torchserve": {"network management": (["torchserve-management"], None)},
    },
    "the checkout and its backups are on a manager": {
        "exporter": {"bind /backups": ("./backups", None)},
        "gateway": {"bind /tls": ("./var/secrets/tls", None), "bind /acme": ("./var/acme", None)},
    },
    "a job has the grace period of other services, which it does not need": {
        name: {"stop_grace_period": (None, "15s")} for name in ("migrations", "released")
    },
}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"split"}))
def test_a_service_differs_from_compose_only_for_a_listed_reason(name):
    expected: dict[str, tuple[object, object]] = {}
    for services in EXPECTED.values():
        expected |= services.get(name, {})
    assert _differences(name) == expected


def test_the_stack_has_every_permanent_service_of_compose():
    permanent = {
        name
        for name, service in COMPOSE["services"].items()
        if service["restart"] == "unless-stopped" and "profiles" not in service
    }
    assert SERVICES.keys() == {*permanent, "migrations", "released", "s3", "split"}


def test_networks_are_internal_as_in_compose():
    for name, network in STACK["networks"].items():
        if name != "none":
            ours = COMPOSE["networks"][name] or {}
            assert (network or {}).get("internal") == ours.get("internal"), name
    # Swarm has no service without a network; this network has one service.
    assert STACK["networks"]["none"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if "none" in service["networks"]] == ["released"]
    assert [name for name, service in SERVICES.items() if "public" in service["networks"]] == ["gateway"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_only_fields_that_swarm_applies(name):
    service = SERVICES[name]
    assert service.keys() <= APPLIED
    assert not APPLIED & WITHOUT_A_COUNTERPART.keys()
    unknown = COMPOSE["services"].get(name, {}).keys() - APPLIED - WITHOUT_A_COUNTERPART.keys()
    # _fields reads these.
    assert unknown <= {"mem_limit", "cpus", "pids_limit", "restart", "tmpfs", "network_mode"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name):
    service, limits = SERVICES[name], SERVICES[name]["deploy"]["resources"]["limits"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert _bytes(limits["memory"]) > 0
    assert 0 < float(limits["cpus"]) <= 2
    assert 0 < limits["pids"] <= 512
    assert any(mount.startswith("tmpfs ") for mount in _mounts(service))


def test_the_manual_names_the_confinement_that_the_engine_sets():
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert '{"no-new-privileges": true}' in manual


@pytest.mark.parametrize("name", SERVICES)
def test_names_resolve_to_tasks_without_a_virtual_address(name):
    assert SERVICES[name]["deploy"]["endpoint_mode"] == "dnsrr"
    assert all(port["mode"] == "host" for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", sorted(PERMANENT))
def test_an_update_that_fails_is_undone(name):
    deploy = SERVICES[name]["deploy"]
    update, rollback = deploy["update_config"], deploy["rollback_config"]
    assert update["failure_action"] == "rollback"
    assert update["parallelism"] == rollback["parallelism"] == 1
    # Files have one owner. Of a global service's two tasks on a node, Swarm stops one at once.
    alone = name in FILES_OF_ONE_TASK or deploy.get("mode") == "global"
    assert update["order"] == rollback["order"] == ("stop-first" if alone else "start-first")


@pytest.mark.parametrize("name", sorted(PERMANENT - {"split"}))
def test_a_permanent_service_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"]


def test_a_service_is_on_the_nodes_of_its_files_and_ports():
    constraints = {
        name: " ".join(service["deploy"]["placement"]["constraints"])
        for name, service in SERVICES.items()
        if "constraints" in service["deploy"].get("placement", {})
    }
    assert constraints == {
        **dict.fromkeys(("gateway", "split"), GATEWAY),
        **dict.fromkeys(("page", "deliverer"), PAGE),
        **dict.fromkeys(("postgres", "migrations", "s3", "exporter"), DATA),
    }
    everywhere = {name for name, service in SERVICES.items() if service["deploy"].get("mode") == "global"}
    assert everywhere == {"gateway", "split", "page", "deliverer"}


def test_services_on_a_node_share_its_files():
    sharing = {
        volume: {name for name, service in SERVICES.items() for entry in service["volumes"]
                 if isinstance(entry, str) and entry.split(":")[0] == volume}
        for volume in STACK["volumes"]
    }  # fmt: skip
    assert sharing["outbox"] == {"page", "deliverer", "exporter"}
    assert sharing["state"] == {"gateway", "split", "exporter"}
    assert sharing["models"] == {"torchserve", "released", "migrations"}
    assert sharing["torchserve"] == {"torchserve"}
    assert STACK["volumes"]["torchserve"]["name"].endswith("_{{.Task.Slot}}")


def test_the_gateway_listens_on_its_own_address_in_the_network_inner():
    [config] = STACK["networks"]["inner"]["ipam"]["config"]
    assert config["subnet"] == SERVICES["gateway"]["environment"]["INNER_HOST"] + "0/24"


@pytest.mark.parametrize("name", ["page", "torchserve", "postgres"])
def test_a_server_listens_on_its_own_address(name):
    """Before its health check passes, a name has only the addresses of other replicas."""
    hosts = {entry.rpartition(":")[0] for entry in SERVICES[name]["extra_hosts"]}
    networks = COMPOSE["services"][name]["networks"]
    aliases = {alias for network in networks if isinstance(networks, dict)
               for alias in (networks[network] or {}).get("aliases", ())}  # fmt: skip
    assert hosts == (aliases or {name})


def test_the_number_of_torchserve_replicas_is_a_variable():
    assert SERVICES["torchserve"]["deploy"]["replicas"] == "${TORCHSERVE_REPLICAS:-4}"
    assert "TORCHSERVE_REPLICAS=4" in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    resources = SERVICES["torchserve"]["deploy"]["resources"]
    assert resources["reservations"]["memory"] == resources["limits"]["memory"]


@pytest.mark.parametrize("secret", STACK["secrets"])
def test_a_secret_is_the_file_of_compose_and_its_name_changes_with_it(secret):
    ours = Path(COMPOSE["secrets"][secret]["file"])
    entry = STACK["secrets"][secret]
    assert (SWARM / entry["file"]).resolve() == (ROOT / ours).resolve()
    assert entry["name"] == f"${{COMPOSE_PROJECT_NAME:-mnist}}_{secret}_${{{secret.upper()}_SUM:-}}"
    assert STACK["secrets"].keys() == COMPOSE["secrets"].keys()


def test_the_certificate_is_where_the_gateway_looks_for_it():
    added = _load(SWARM / "certificate.yml")
    targets = {entry["source"]: entry["target"] for entry in added["services"]["gateway"]["secrets"]}
    assert added["services"].keys() == {"gateway"}
    assert {Path(added["secrets"][source]["file"]).name for source in targets} == {
        Path(target).name for target in targets.values()
    }
    script = (ROOT / "gateway" / "container.sh").read_text(encoding="utf-8")
    provided = re.findall(r"^provided=(\S+)", script, re.MULTILINE)
    assert {str(Path(target).parent) for target in targets.values()} == set(provided)


def test_the_commands_join_networks_of_the_stack():
    text = re.sub(r"!override", "", (SWARM / "commands.yml").read_text(encoding="utf-8"))
    added = yaml.safe_load(text)
    # Compose refuses a network of the same name that it did not create, and warns of a volume.
    for kind in ("networks", "volumes"):
        assert added[kind].keys() == COMPOSE[kind].keys() & STACK[kind].keys()
        for name, entry in added[kind].items():
            assert entry == {"name": f"${{COMPOSE_PROJECT_NAME:-mnist}}_{name}", "external": True}
    created = re.findall(r"^VOLUMES=\((.+)\)", (ROOT / "ops" / "swarm.sh").read_text(), re.MULTILINE)[0]
    assert set(created.split()) == added["volumes"].keys()
    used = set(added["services"]["ops"]["networks"])
    for name, service in COMPOSE["services"].items():
        if name != "ops" and service.get("profiles") == ["tools"]:
            used |= set(service.get("networks", ()))
    assert {name for name in used if (STACK["networks"].get(name) or {}).get("attachable")} == used - {
        "outside"
    }
    ours = set(COMPOSE["services"]["ops"]["networks"])
    assert ours - set(added["services"]["ops"]["networks"]) == {"management"}
