"""A server after `docker compose up`: responses, permissions, sizes and secrets."""

import json
import re
import socket
import ssl
import subprocess
import time

import pytest
import requests

from fixtures.waiting import eventually
from tests.containers.deployment import MAIN, SEVEN, Deployment

MOST_MIB = 1536
# Size of an image in the engine. A stand-in base image may be larger than the original.
MOST_MB = {"torchserve": 1300, "page": 700}
MOST_REBUILD_S = 20
SECRETS = (
    "database_owner_password",
    "database_page_password",
    "database_exporter_password",
    "operator_password",
    "s3_secret_key",
)


def test_https_answers_and_http_redirects(deployment: Deployment):
    response = deployment.predict()
    assert response.json()["digit"] == 7
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    redirect = requests.post(
        f"{deployment.plain_address}/predict?a=b", data=SEVEN, timeout=10, allow_redirects=False
    )
    assert (redirect.status_code, redirect.headers["Location"]) == (308, f"{deployment.address}/predict?a=b")


def test_a_request_is_in_the_gateways_log_with_its_id(deployment: Deployment):
    response = deployment.predict(**{"X-Request-Id": "of-this-test"})
    assert response.headers["X-Request-Id"] == "of-this-test"
    [line] = eventually(
        lambda: [
            line
            for line in deployment.compose("logs", "--no-log-prefix", "gateway").splitlines()
            if "of-this-test" in line
        ]
    )
    fields = json.loads(line[line.index("{") :])  # compose may add a prefix
    assert (fields["part"], fields["route"], fields["status"]) == ("gateway", "predict", 200)


def test_the_migrations_log_as_json(deployment: Deployment):
    lines = deployment.compose("logs", "--no-log-prefix", "migrations").splitlines()
    assert lines
    for line in lines:
        fields = json.loads(line[line.index("{") :])
        assert (fields["level"], fields["part"]) == ("info", "migrations")


@pytest.mark.parametrize(
    ("version", "accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_is_1_2_or_1_3(deployment: Deployment, version, accepted):
    context = ssl.create_default_context(cafile=deployment.certificate)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # otherwise this client rejects 1.1 before the gateway does
    port = int(deployment.environment["HTTPS_PORT"])
    with socket.create_connection(("localhost", port), timeout=10) as connection:
        if accepted:
            with context.wrap_socket(connection, server_hostname="localhost") as secured:
                assert secured.version() == version.name.replace("_", ".")
        else:
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_hostname="localhost")


@pytest.mark.parametrize("service", MAIN)
def test_a_container_runs_without_root_on_a_read_only_file_system(deployment: Deployment, service):
    assert deployment.shell(service, "id -u").stdout.strip() not in ("", "0")
    status = deployment.shell(service, "grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status").stdout
    assert re.findall(r"\w+:\s+(\w+)", status) == ["0" * 16, "0" * 16, "1"]
    for place in ("/etc/x", "/usr/bin/x", "/app/x", "/root/x"):
        assert deployment.shell(service, f"touch {place}").returncode != 0


def test_secrets_are_in_no_environment_image_or_log(deployment: Deployment):
    values = {name: (deployment.folder / "var/secrets" / name).read_text().strip() for name in SECRETS}
    assert all(len(value) >= 32 for value in values.values())
    described = deployment.run(
        "docker", "inspect", *deployment.compose("ps", "--all", "--quiet").split()
    ).stdout
    images = {json.loads(line)["Image"] for line in _described(deployment)}
    history = "".join(deployment.run("docker", "history", "--no-trunc", image).stdout for image in images)
    environments = "".join(
        deployment.shell(service, "tr '\\0' '\\n' </proc/1/environ").stdout for service in MAIN
    )
    texts = described + history + environments + deployment.logs() + deployment.compose("config")
    assert len(texts) > 10_000
    assert [name for name, value in values.items() if value in texts] == []


def _described(deployment: Deployment) -> list[str]:
    return deployment.compose("ps", "--all", "--format", "{{json .}}").splitlines()


def test_only_the_owner_can_read_the_secrets_folder(deployment: Deployment):
    assert (deployment.folder / "var/secrets").stat().st_mode & 0o777 == 0o700


def test_a_missing_secret_gets_a_one_line_error(bare: Deployment):
    done = bare.make("up")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "The secret var/secrets/database_owner_password is missing. Make it: make secrets"
    )


def test_an_unreadable_secret_gets_a_one_line_error_in_the_log(deployment: Deployment):
    done = deployment.run(
        "docker", "compose", "run", "--rm", "--no-deps", "--env", "DATABASE_PASSWORD_FILE=/run/secrets/nowhere",
        "deliverer",
    )  # fmt: skip
    output = [line for line in done.stderr.splitlines() if "Setting" in line]
    assert done.returncode == 1
    assert output == [
        "Setting 'DATABASE_PASSWORD_FILE' has value '/run/secrets/nowhere'. "
        "Not a readable file: No such file or directory."
    ]


@pytest.mark.parametrize("service", MOST_MB)
def test_an_image_is_small(deployment: Deployment, service):
    image = deployment.inspect(service)["Image"]
    size = int(deployment.run("docker", "inspect", "--format", "{{.Size}}", image).stdout) / 1e6
    print(f"{service}: {size:.0f} MB")
    if service == "torchserve":
        cuda = deployment.python(service, "import torch; print(torch.version.cuda or '')").stdout.strip()
        if cuda:
            pytest.skip(f"this torch is built for CUDA {cuda}; the bound is for a CPU build (TORCH_INDEX)")
    assert size <= MOST_MB[service]


def test_a_build_after_a_source_change_takes_seconds(deployment: Deployment):
    for source in ("handler/torchserve_handler.py", "ui/app.py", "ops/native/status.py", "gateway/api.conf"):
        with (deployment.folder / source).open("a") as file:
            file.write("\n# another line\n")
    started = time.monotonic()
    deployment.compose("build", "--quiet", TAG=f"{deployment.project}-before")
    took = time.monotonic() - started
    print(f"built in {took:.0f} s")
    assert took < MOST_REBUILD_S


def test_memory_after_a_thousand_predictions_fits_a_small_server(deployment: Deployment):
    with requests.Session() as session:
        for _ in range(1000):
            answer = session.post(
                f"{deployment.address}/predict", data=SEVEN, timeout=30, verify=deployment.certificate
            )
            assert answer.status_code == 200
    used = {service: _resident_mib(deployment, service) for service in MAIN}
    print({service: round(mib) for service, mib in used.items()}, round(sum(used.values())))
    assert all(used.values())
    assert sum(used.values()) < MOST_MIB


def _resident_mib(deployment: Deployment, service: str) -> float:
    """Memory by the engine's definition: with active file cache, without inactive file cache."""
    shown = subprocess.run(
        ["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", deployment.container(service)],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    number, unit = re.match(r"([\d.]+)(KiB|MiB|GiB)", shown).groups()
    return float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]


def test_make_status_reports_every_service(deployment: Deployment):
    output = deployment.check_make("status")
    for service in MAIN:
        assert re.search(rf"^{service} +running +healthy$", output, re.MULTILINE)
    assert output.rstrip().endswith(deployment.address)
    deployment.compose("stop", "page")
    try:
        done = deployment.make("status")
        assert done.returncode == 2
        assert re.search(r"^page +exited", done.stdout, re.MULTILINE)
    finally:
        deployment.compose("start", "page")
        deployment.wait_until_healthy()


def test_the_load_generator_runs_in_a_container(deployment: Deployment):
    output = deployment.compose("run", "--rm", "benchmark").splitlines()
    clients = [line.split()[0] for line in output if re.match(r" +\d+ ", line)]
    assert clients == ["1", "32"]
