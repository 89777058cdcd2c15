"""Prometheus and Alertmanager of a native system, where they are installed: `make up MONITORING=1`.

Neither asks for a password, and Alertmanager lets every web page in a local browser read and silence alerts. So both
have a secret path, like Jupyter. Operators reach them through the gateway, at /monitoring/ (ops/native/gateway.py).
"""

import json
import shutil
from pathlib import Path
from string import Template

import settings
from ops.data import secrets
from ops.errors import OpsError
from ops.system import ROOT, System

ALERTMANAGERS = ("alertmanager", "prometheus-alertmanager")  # its own name, and Debian's
INSTALL_HINT = "Debian: apt-get install prometheus prometheus-alertmanager"
# 15 days hold the two weeks that AccuracyDropped compares, in about 0.2 GB: 1,100 series, 1.5 bytes a sample.
RETENTION = ("--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=2GB")
SOURCES = ROOT / "monitoring" / "prometheus"


def missing() -> list[str]:
    """The programs that are not on the PATH."""
    programs = (("prometheus",), ALERTMANAGERS)
    return [names[0] for names in programs if not any(map(shutil.which, names))]


def write_configuration(system: System) -> None:
    """Render Prometheus' configuration with this system's addresses. Raises OpsError without one for Alertmanager."""
    if not alertmanager_configuration().is_file():
        raise OpsError(
            f"Setting 'ALERTMANAGER_CONFIG' has value '{settings.ALERTMANAGER_CONFIG.read()}', which is not a file. "
            "Copy monitoring/alertmanager/alertmanager.yml there, or take the setting out of .env."
        )
    secrets.write_once(_path_file(system))
    template = Template((SOURCES / "native.yml.template").read_text(encoding="utf-8"))
    values = {
        "path": f"/{_path(system)}",
        "metrics": f"/{_path(system)}/metrics",
        "rules": str(SOURCES / "rules" / "*.yml"),
        "exporter": f"127.0.0.1:{system.exporter_port}",
        "prometheus": f"127.0.0.1:{system.prometheus_port}",
        "alertmanager": f"127.0.0.1:{system.alertmanager_port}",
    }
    system.monitoring_files.mkdir(mode=0o700, exist_ok=True)
    # JSON is YAML: a path may have any character.
    text = template.substitute({name: json.dumps(value) for name, value in values.items()})
    (system.monitoring_files / "prometheus.yml").write_text(text, encoding="utf-8")


def alertmanager_configuration() -> Path:
    """The file that says who receives alerts."""
    return ROOT / settings.ALERTMANAGER_CONFIG.read()


def prometheus_command(system: System) -> list[str]:
    """Prometheus in the foreground, on loopback, without an answer to other web pages of a browser on this machine."""
    return [
        "prometheus",
        f"--config.file={system.monitoring_files / 'prometheus.yml'}",
        f"--storage.tsdb.path={system.monitoring_files / 'prometheus'}",
        *RETENTION,
        f"--web.listen-address=127.0.0.1:{system.prometheus_port}",
        f"--web.external-url={system.address}/monitoring/prometheus",
        f"--web.route-prefix=/{_path(system)}",
        f"--web.console.templates={SOURCES / 'consoles'}",
        "--log.level=warn",  # below, it logs its path
        "--log.format=json",
        "--web.cors.origin=-",  # an expression that matches no origin; the default is all
    ]


def alertmanager_command(system: System) -> list[str]:
    """Alertmanager in the foreground, on loopback, alone: without the port of a cluster."""
    program = next((name for name in ALERTMANAGERS if shutil.which(name)), ALERTMANAGERS[0])
    return [
        program,
        f"--config.file={alertmanager_configuration()}",
        f"--storage.path={system.monitoring_files / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{system.alertmanager_port}",
        f"--web.external-url={system.address}/monitoring/alertmanager",
        f"--web.route-prefix=/{_path(system)}",
        "--log.level=warn",
        "--log.format=json",
        "--cluster.listen-address=",
    ]


def servers(system: System) -> dict[str, str]:
    """HOST:PORT/PATH of each server that the gateway shows to operators, "" for one that does not run."""
    ports = {"prometheus": system.prometheus_port, "alertmanager": system.alertmanager_port}
    running = {name: f"127.0.0.1:{port}/{_path(system)}" for name, port in ports.items() if system.monitoring}
    return dict.fromkeys((*ports, "grafana"), "") | running


def url(system: System, server: str) -> str:
    """Address of "prometheus" or "alertmanager" for this machine, past the gateway."""
    return f"http://{servers(system)[server]}"


def _path(system: System) -> str:
    return _path_file(system).read_text(encoding="ascii").strip()


def _path_file(system: System) -> Path:
    return system.secrets / "monitoring_path"
