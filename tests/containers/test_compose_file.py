"""docker-compose.yml and the Dockerfiles, checked without a container engine."""

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict] = COMPOSE["services"]
PERMANENT = {name for name, service in SERVICES.items() if service["restart"] == "unless-stopped"}
ALWAYS = {name for name in PERMANENT if "profiles" not in SERVICES[name]}
DOCKERFILES = sorted(ROOT.glob("*/*Dockerfile"))
SERVER_MIB = 4096
MONITORED_SERVER_MIB = 6144
MONITORING = {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]}
# All services of each network.
MEMBERS = {
    "public": {"gateway"},
    "outside": {"ops", "training", "tracking", "alertmanager"},
    "inner": {"gateway", "page", "ops", "benchmark", "exporter"},
    "inference": {"gateway", "torchserve", "ops"},
    "management": {"torchserve", "ops"},
    "registry": {"s3", "mlflow", "ops", "tracking"},
    "database": {"postgres", "page", "deliverer", "migrations", "ops", "training", "exporter"},
    "metrics": {"exporter", "torchserve"},
    "monitoring": {"gateway", "exporter", "prometheus", "alertmanager", "grafana", "loki", "alloy"},
}
READERS = {
    "database_owner_password": {"postgres", "migrations", "ops"},
    "database_page_password": {"page", "deliverer", "migrations", "ops", "training"},
    "database_exporter_password": {"exporter", "migrations", "ops"},
    "operator_password": {"page", "gateway"},
    "s3_secret_key": {"ops", "s3"},
}


class _Strict(yaml.SafeLoader):
    """Refuses two merge keys in a mapping, as Compose does."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        keys = [key.value for key, _ in node.value if key.tag == "tag:yaml.org,2002:merge"]
        assert len(keys) <= 1, f"two merge keys in line {node.start_mark.line + 1}"
        super().flatten_mapping(node)


def test_a_mapping_has_one_merge_key():
    for path in (ROOT / "docker-compose.yml", *(ROOT / "deploy" / "swarm").glob("stack.yml")):
        yaml.load(path.read_text(encoding="utf-8"), _Strict)  # noqa: S506


def _mib(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mg])", size).groups()
    return int(number) * {"m": 1, "g": 1024}[unit]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert _mib(service["mem_limit"]) > 0
    assert 0 < float(service["cpus"]) <= 2
    assert 0 < service["pids_limit"] <= 512
    assert all(":size=" in entry for entry in service["tmpfs"])
    assert "env_file" not in service


def test_permanent_services_have_restart_health_check_and_stop_time():
    assert {"postgres", "torchserve", "page", "deliverer", "gateway", "exporter"} == ALWAYS
    for name in PERMANENT:
        assert SERVICES[name]["healthcheck"]["test"]
        assert "stop_grace_period" in SERVICES[name]
    assert all(SERVICES[name]["restart"] == "no" for name in SERVICES.keys() - PERMANENT)


def test_health_checks_ignore_proxies():
    # The engine can set its proxies in each container, without exceptions for local addresses.
    for service in SERVICES.values():
        check = " ".join(service.get("healthcheck", {}).get("test", ()))
        assert "urlopen(" not in check
        assert "curl" not in check or "curl --noproxy *" in check


def test_the_services_fit_a_server_with_4_gb():
    running = sum(_mib(SERVICES[name]["mem_limit"]) for name in ALWAYS)
    assert (
        running + _mib(SERVICES["ops"]["mem_limit"]) + _mib(SERVICES["training"]["mem_limit"]) <= SERVER_MIB
    )


def test_the_services_with_monitoring_fit_a_server_with_6_gb():
    running = sum(_mib(SERVICES[name]["mem_limit"]) for name in ALWAYS | MONITORING | {"ops", "training"})
    assert running <= MONITORED_SERVER_MIB


@pytest.mark.parametrize("name", SERVICES)
def test_external_images_are_pinned_to_a_digest(name):
    service = SERVICES[name]
    assert "build" in service or re.fullmatch(
        r"[a-z/]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", service["image"]
    )


def test_only_alloy_runs_as_root():
    assert {name for name, service in SERVICES.items() if "user" in service} == {"alloy"}
    assert "docker.sock" not in str(SERVICES)


def test_bind_mounts_are_read_only_and_from_this_checkout():
    bound = [
        entry
        for service in SERVICES.values()
        for entry in service.get("volumes", ())
        if isinstance(entry, dict)
    ]
    assert all(entry["read_only"] is True for entry in bound)
    elsewhere = {
        entry["source"] for entry in bound if not entry["source"].startswith(("./", "${ALERTMANAGER"))
    }
    assert elsewhere == {"/var/lib/docker/containers"}


def test_only_the_gateway_is_published():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"gateway"}
    assert [port.rpartition(":")[2] for port in SERVICES["gateway"]["ports"]] == ["8443", "8080"]


@pytest.mark.parametrize("network", COMPOSE["networks"])
def test_a_network_has_only_its_clients(network):
    assert {name for name, service in SERVICES.items() if network in service.get("networks", ())} == MEMBERS[
        network
    ]
    internal = (COMPOSE["networks"][network] or {}).get("internal", False)
    assert internal is (network not in ("public", "outside"))


def test_every_network_is_listed():
    for service in SERVICES.values():
        assert service.get("network_mode") == "none" or set(service["networks"]) <= MEMBERS.keys()


@pytest.mark.parametrize("secret", COMPOSE["secrets"])
def test_a_secret_is_a_file_with_only_its_readers(secret):
    assert COMPOSE["secrets"][secret] == {"file": f"./var/secrets/{secret}"}
    assert {name for name, service in SERVICES.items() if secret in service.get("secrets", ())} == READERS[
        secret
    ]


def test_environments_contain_no_passwords():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET", name):
                assert name.endswith("_FILE")
                assert str(value).startswith("/run/secrets/")


def test_dependencies_have_a_condition():
    for service in SERVICES.values():
        for condition in service.get("depends_on", {}).values():
            assert condition["condition"] in ("service_healthy", "service_completed_successfully")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_image_has_a_pinned_base_and_no_root(path):
    text = path.read_text(encoding="utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    bases = [base for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if base not in stages]
    assert bases
    for base in bases:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+(-[a-z-]+)?@sha256:[0-9a-f]{64}", base), (
            f"{base} is not pinned to a version and a digest"
        )
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] in ("mnist", "nginx")
    assert "syntax=" not in text


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_single_copied_files_import_only_copied_files(path):
    for stage in re.split(r"^FROM ", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        lines = re.findall(r"^COPY (?!--)(.+)", stage, re.MULTILINE)
        copied = {ROOT / source for line in lines for source in line.split()[:-1]}
        for file in (file for file in copied if file.suffix == ".py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    needed = ROOT / f"{node.module.replace('.', '/')}.py"
                    assert not needed.exists() or copied & {needed, *needed.parents}, f"{file} needs {needed}"


def test_requirements_files_pin_the_same_versions():
    pins: dict[str, set[str]] = {}
    for path in ROOT.glob("*/requirements*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.match(r"([A-Za-z0-9_.-]+)(?:\[\w+\])?==([^\s;]+)", line)
            if found and "aarch64" not in line:  # Java has a second line for another processor
                pins.setdefault(found[1], set()).add(found[2])
    # torch has two versions on purpose (training/requirements-torch.txt).
    assert {name: versions for name, versions in pins.items() if len(versions) > 1}.keys() <= {"torch"}
