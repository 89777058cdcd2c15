"""Prometheus and Alertmanager as parts of a native system; these tests do not start them."""

import re
import subprocess
from dataclasses import replace

import pytest
import yaml

from ops.errors import OpsError
from ops.native import monitoring, parts, supervisor
from ops.system import ROOT, System
from tests.monitoring.programs import program


@pytest.fixture
def system(tmp_path):
    folder = tmp_path / "a 'state' #1 ä"
    folder.mkdir()
    system = System(folder, tmp_path / "store", "127.0.0.1", 9500, monitoring=True)
    system.make_folders()
    yield system
    system.sockets.rmdir()


def test_they_are_parts_only_with_monitoring(system):
    names = [part.name for part in parts.list_parts(system)]
    assert names[-2:] == ["alertmanager", "prometheus"]
    assert [part.name for part in parts.list_parts(replace(system, monitoring=False))] == names[:-2]


def test_prometheus_accepts_the_rendered_configuration_and_finds_the_rules(system):
    monitoring.write_configuration(system)
    rendered = system.state / "monitoring" / "prometheus.yml"
    done = subprocess.run(
        [program("promtool"), "check", "config", rendered], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rules = list((ROOT / "monitoring/prometheus/rules").glob("*.yml"))
    assert f"SUCCESS: {len(rules)} rule files found" in done.stdout


def test_native_and_container_scrapes_have_the_same_jobs_and_intervals(system):
    monitoring.write_configuration(system)
    native = yaml.safe_load((system.state / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))
    containers = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert native["global"] == containers["global"]
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in native["scrape_configs"]}
    assert jobs == {
        "exporter": ["127.0.0.1:9509"],
        "prometheus": ["127.0.0.1:9510"],
        "alertmanager": ["127.0.0.1:9511"],
    }
    assert jobs.keys() == {job["job_name"] for job in containers["scrape_configs"]}


def test_native_and_container_retention_are_equal(system):
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert set(monitoring.RETENTION) <= set(services["prometheus"]["command"])


def test_they_listen_only_on_loopback_and_reject_other_origins(system):
    monitoring.write_configuration(system)
    for command in (monitoring.prometheus_command(system), monitoring.alertmanager_command(system)):
        [listens] = [word for word in command if word.startswith("--web.listen-address=")]
        assert re.fullmatch(r"--web.listen-address=127\.0\.0\.1:95\d\d", listens)
    assert "--web.cors.origin=-" in monitoring.prometheus_command(system)
    assert "--cluster.listen-address=" in monitoring.alertmanager_command(system)  # else it opens port 9094


def test_their_path_is_a_stable_secret(system):
    monitoring.write_configuration(system)
    file = system.secrets / "monitoring_path"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (system.state / "monitoring").stat().st_mode & 0o777 == 0o700
    address = monitoring.url(system, "prometheus")
    assert file.read_text().strip() in address
    monitoring.write_configuration(system)
    assert monitoring.url(system, "prometheus") == address


def test_the_error_names_a_missing_alertmanager_configuration(system, monkeypatch):
    monkeypatch.setenv("ALERTMANAGER_CONFIG", "var/none.yml")
    with pytest.raises(
        OpsError, match=r"'ALERTMANAGER_CONFIG' has value 'var/none\.yml', which is not a file"
    ):
        monitoring.write_configuration(system)


def test_their_links_use_the_gateway_and_do_not_contain_the_path(system):
    monitoring.write_configuration(system)
    path = (system.secrets / "monitoring_path").read_text().strip()
    for command, name in (
        (monitoring.prometheus_command(system), "prometheus"),
        (monitoring.alertmanager_command(system), "alertmanager"),
    ):
        assert f"--web.external-url=http://localhost:9500/monitoring/{name}" in command
        assert f"--web.route-prefix=/{path}" in command
        assert monitoring.servers(system)[name].endswith(f"/{path}")


def test_prometheus_starts_after_the_parts_that_it_watches(system):
    supervisor.write_configuration(system, parts.list_parts(system))
    text = (system.run / "supervisord.conf").read_text(encoding="utf-8")
    starts = dict(re.findall(r"\[program:(\w+)\]\n.*\nautostart=(\w+)", text))
    assert list(starts)[-1] == "prometheus"
    assert {name for name, starts in starts.items() if starts == "false"} == {"prometheus"}


def test_without_monitoring_there_are_no_servers_and_no_path(system):
    servers = monitoring.servers(replace(system, monitoring=False))
    assert servers == {"prometheus": "", "alertmanager": "", "grafana": ""}
