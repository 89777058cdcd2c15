"""deploy/kubernetes: load_overlay, validated with Kubernetes' schemas, and compared with docker-compose.yml.

No API server runs here, so no test applies the manifests.
"""

import re
import subprocess

import pytest
import yaml

from ops.system import ROOT
from tests.kubernetes.manifests import (
    COMPOSE,
    FROM_S3,
    HELPERS,
    KUBERNETES,
    ONE,
    OVERLAYS,
    Manifests,
    Pod,
    each_overlay,
    each_pod,
    load_overlay,
    render,
    resolve_default,
    tool,
    without_names,
)

# The oldest version with all fields (preStop.sleep), and the newest that kubernetes-validate knows.
VERSIONS = ("1.30", "1.37")

each_container = pytest.mark.parametrize(
    ("pod", "name"),
    [(pod, name) for pod in ONE.pods.values() for name in pod.containers],
    ids=lambda value: value if isinstance(value, str) else value.name,
)


def _service(name: str) -> dict:
    """The service of docker-compose.yml with a container's image."""
    return COMPOSE[HELPERS.get(name, name)]


def _mebibytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mgMG])i?", size).groups()
    return int(number) * (1024 if unit in "gG" else 1)


def _cpus(amount: str) -> float:
    return int(amount[:-1]) / 1000 if amount.endswith("m") else float(amount)


@pytest.fixture(scope="module")
def external(tmp_path_factory) -> Manifests:
    """PostgreSQL and the S3 store are outside of the cluster."""
    folder = tmp_path_factory.mktemp("external").resolve()
    path = f"{'../' * (len(folder.parts) - 1)}{KUBERNETES.relative_to('/')}"
    kustomization = {
        "namespace": "mnist",
        "resources": [f"{path}/overlays/several-nodes"],
        "components": [f"{path}/external-postgres", f"{path}/external-s3"],
        "configMapGenerator": [
            _merge("database", "DATABASE=db.example.org:5432/mnist?sslmode=require"),
            _merge("versions", "S3_ENDPOINT=https://s3.example.org"),
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return Manifests(render(folder))


def _merge(name: str, *literals: str) -> dict:
    return {"name": name, "behavior": "merge", "literals": list(literals)}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version, external, tmp_path):
    documents = [one for manifests in (*map(load_overlay, OVERLAYS), external) for one in manifests.documents]
    different = {without_names(document): document for document in documents}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(different.values()))
    command = [tool("kubernetes-validate"), "--strict", "-k", version, tmp_path / "all.yaml"]
    validated = subprocess.run(command, capture_output=True, text=True, check=False)
    assert validated.returncode == 0, validated.stdout
    assert validated.stdout.count(" passed for resource ") == len(different)


@each_overlay
def test_an_overlay_has_a_namespace_that_accepts_only_confined_pods(overlay):
    manifests = load_overlay(overlay)
    [namespace] = manifests.kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    places = {one["metadata"].get("namespace") for one in manifests.documents if one is not namespace}
    assert places == {namespace["metadata"]["name"]}


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_a_release_has_the_images_of_the_registry(overlay):
    images = {one["image"] for pod in load_overlay(overlay).pods.values() for one in pod.containers.values()}
    found = [re.fullmatch(r"registry\.example\.org/owner/mnist-(\w+):(v[\w.-]+)", image) for image in images]
    assert len({match[2] for match in found}) == 1
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert {match[1] for match in found} <= set(re.findall(r"\{part: (\w+),", workflow))


def test_every_permanent_service_and_task_has_a_container():
    names = {name for pod in ONE.pods.values() for name in pod.containers}
    assert names >= {name for name, service in COMPOSE.items() if "profiles" not in service}
    assert names - HELPERS.keys() <= COMPOSE.keys()


@each_container
def test_a_container_is_confined(pod, name):
    own = pod.containers[name]["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    shared = pod.spec["securityContext"]
    assert shared["runAsNonRoot"] is True
    assert shared["runAsUser"] > 0
    assert shared["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
    assert {kind for volume in pod.spec["volumes"] for kind in volume.keys() - {"name"}} <= {
        "emptyDir",
        "secret",
        "persistentVolumeClaim",
    }


@each_container
def test_a_container_has_the_image_and_the_limits_of_compose(pod, name):
    service, container = _service(name), pod.containers[name]
    assert container["image"] == resolve_default(service["image"])
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    if name != "split":  # smaller than commands
        assert _mebibytes(limits["memory"]) == _mebibytes(service["mem_limit"])
        assert _cpus(limits["cpu"]) == service["cpus"]
    assert requests["memory"] == limits["memory"]
    assert 0 < _cpus(requests["cpu"]) <= _cpus(limits["cpu"])
    scratch = pod.volume(name, "/tmp")  # noqa: S108
    if name == "released":
        assert scratch is None  # cp needs none
    else:
        [size] = re.findall(r"/tmp:size=(\w+)", str(service["tmpfs"]))  # noqa: S108
        assert scratch["emptyDir"]["medium"] == "Memory"
        assert _mebibytes(scratch["emptyDir"]["sizeLimit"]) == _mebibytes(size)


def test_one_node_has_room_for_all_pods():
    """A node of 2 cores and 6 GB, of which Kubernetes itself takes a part."""
    requests = [one["resources"]["requests"] for pod in ONE.pods.values() for one in pod.containers.values()]
    assert sum(_cpus(request["cpu"]) for request in requests) <= 1.7
    assert sum(_mebibytes(request["memory"]) for request in requests) <= 5 * 1024


@each_container
def test_a_container_has_the_settings_of_compose(pod, name):
    here = pod.environment(name)
    there = {key: resolve_default(value) for key, value in _service(name).get("environment", {}).items()}
    if name in FROM_S3:
        there |= {key: value for key, value in here.items() if key.startswith(("S3_", "WORKERS_"))}
    if name not in HELPERS:
        assert there.keys() - here.keys() == set()
    assert here.keys() - there.keys() <= {"DATABASE", "INNER_HOST", "REPLICA_NAME", "VERSIONS_IN"}
    compared = here.keys() & there.keys() - {"VERSIONS_IN"}
    assert {key: here[key] for key in compared} == {key: there[key] for key in compared}


@each_container
def test_a_container_has_only_the_secrets_of_compose(pod, name):
    there = set(_service(name).get("secrets", ())) | ({"s3_secret_key"} if name in FROM_S3 else set())
    assert pod.secrets(name) <= there if name in HELPERS else pod.secrets(name) == there
    for key, value in pod.environment(name).items():
        if re.search("PASSWORD|SECRET", key):
            assert value.removeprefix("/run/secrets/") in pod.secrets(name)
    assert pod.volume(name, "/run/secrets") is None


@each_pod
def test_a_pod_that_answers_others_has_a_probe_of_readiness(pod: Pod):
    for service in ONE.kind("Service"):
        if ONE.selected({"matchLabels": service["spec"]["selector"]}) == {pod.name}:
            assert "readinessProbe" in pod.containers[pod.name]


@pytest.mark.parametrize("name", ["torchserve", "postgres"])
def test_readiness_is_the_health_check_of_compose(name):
    command = ONE.pods[name].containers[name]["readinessProbe"]["exec"]["command"]
    assert ["CMD", *command] == COMPOSE[name]["healthcheck"]["test"]


@each_pod
def test_a_pod_has_the_time_of_compose_to_stop(pod: Pod):
    if pod.name not in COMPOSE or "stop_grace_period" not in COMPOSE[pod.name]:
        return
    hook = pod.containers[pod.name].get("lifecycle", {}).get("preStop", {})
    waits = hook.get("sleep", {}).get("seconds", 0)
    given = pod.spec["terminationGracePeriodSeconds"]
    assert given == int(COMPOSE[pod.name]["stop_grace_period"].removesuffix("s")) + waits


def test_the_exporters_read_every_subject_except_the_machine():
    source = (ROOT / "monitoring" / "exporter" / "__main__.py").read_text(encoding="utf-8")
    known = {
        *re.findall(r'^ +"(\w+)": (?!\()', source, re.MULTILINE),
        *re.findall(r'^ +subjects\["(\w+)"\]', source, re.MULTILINE),
    }
    read = []
    for pod in ONE.pods.values():
        for name in {"exporter", "metrics"} & pod.containers.keys():
            arguments = pod.containers[name]["args"]
            assert arguments[0] == "--subjects"
            read += [argument for argument in arguments[1:] if not argument.startswith("--")]
            assert pod.template["metadata"]["annotations"] == {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "8009",
            }
    assert sorted(read) == sorted(known - {"machine"})


@each_overlay
def test_budgets_and_autoscalers_have_a_workload(overlay):
    manifests = load_overlay(overlay)
    for budget in manifests.kind("PodDisruptionBudget"):
        assert manifests.selected(budget["spec"]["selector"]) == {budget["metadata"]["name"]}
        # With minAvailable, a node with the only replica could never be drained.
        assert budget["spec"]["maxUnavailable"] == 1
    for scaler in manifests.kind("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        workload = manifests.pods[target["name"]].workload
        assert (workload["apiVersion"], workload["kind"]) == (target["apiVersion"], target["kind"])
        assert "replicas" not in workload["spec"]  # each `kubectl apply` would undo the scaling
        [metric] = scaler["spec"]["metrics"]
        [resource] = [value for key, value in metric.items() if key != "type"]
        limit = manifests.pods[target["name"]].containers[target["name"]]["resources"]["limits"]["cpu"]
        assert _cpus(resource["target"]["averageValue"]) == pytest.approx(0.7 * _cpus(limit))


def test_several_nodes_have_several_replicas():
    scalers = {
        one["metadata"]["name"]: one["spec"]
        for one in load_overlay("several-nodes").kind("HorizontalPodAutoscaler")
    }
    assert scalers.keys() == {"gateway", "page", "torchserve"}
    assert all(spec["minReplicas"] >= 2 for spec in scalers.values())
    assert not ONE.kind("HorizontalPodAutoscaler")


def test_external_stores_replace_those_of_the_cluster(external):
    assert not {"postgres", "s3"} & external.pods.keys()
    assert not {"postgres", "s3"} & {one["metadata"]["name"] for one in external.kind("Service")}
    for name, role in (
        ("page", "page"),
        ("deliverer", "page"),
        ("migrations", "owner"),
        ("exporter", "exporter"),
    ):
        [pod] = [pod for pod in external.pods.values() if name in pod.containers]
        expected = f"postgresql://{role}@db.example.org:5432/mnist?sslmode=require"
        assert pod.environment(name)["DATABASE_URL"] == expected
    assert external.pods["torchserve"].environment("torchserve")["S3_ENDPOINT"] == "https://s3.example.org"
    for network, port in (("postgres", 5432), ("s3", 443)):
        [policy] = [
            one for one in external.kind("NetworkPolicy") if one["metadata"]["name"] == f"external-{network}"
        ]
        assert policy["spec"]["policyTypes"] == ["Egress"]
        assert [rule["ports"] for rule in policy["spec"]["egress"]] == [[{"port": port}]]
