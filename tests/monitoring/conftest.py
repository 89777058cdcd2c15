"""Prometheus and Alertmanager, started like `make up MONITORING=1`, with a stand-in exporter and a test webhook."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from fixtures.waiting import eventually
from ops.native import monitoring, parts
from ops.system import ROOT, System
from tests.documents import ALERTMANAGER
from tests.monitoring.fake_exporter import FakeExporter, serve_exporter
from tests.monitoring.programs import program
from tests.monitoring.webhook import Webhook, serve_webhook
from tests.system.running import first_port

RULES = ROOT / "monitoring" / "prometheus" / "rules"
UP_WITHIN_S = 60
# Prometheus sends its first alerts before it knows Alertmanager, and by default again after a minute. At 1 s, the
# alerts of its start, such as a missing scrape, would arrive too.
MORE_ARGUMENTS = {"prometheus": ["--rules.alert.resend-delay=10s"]}


@dataclass(frozen=True)
class Monitored:
    """The running programs. Tests change the exporter's values and read Alertmanager's messages from the webhook."""

    system: System
    exporter: FakeExporter
    webhook: Webhook

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return query(self.system, expression)


def query(system: System, expression: str) -> list[dict[str, Any]]:
    """The result of an instant query to a system's Prometheus."""
    answer = requests.get(
        f"{monitoring.url(system, 'prometheus')}/api/v1/query", params={"query": expression}, timeout=10
    ).json()
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


@pytest.fixture(scope="session")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """One instance per session, with compressed time: scrapes and rules every second, `for` at most 1 s."""
    program("prometheus")
    program("alertmanager")
    folder = tmp_path_factory.mktemp("monitored")
    system = System(folder / "var", folder / "store", "127.0.0.1", first_port(), monitoring=True)
    system.make_folders()
    exporter, webhook = FakeExporter(), Webhook()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        stack.callback(system.sockets.rmdir)
        hook = stack.enter_context(serve_webhook(webhook))
        patch.setenv("ALERTMANAGER_CONFIG", str(write_webhook_configuration(folder, hook)))
        monitoring.write_configuration(system)
        _compress_time(folder, system.state / "monitoring" / "prometheus.yml")
        stack.enter_context(serve_exporter(exporter, system.exporter_port))
        for part in parts.MONITORING:
            log = stack.enter_context((system.logs / f"{part.name}.log").open("wb"))
            command = [*part.command(system), *MORE_ARGUMENTS.get(part.name, ())]
            process = stack.enter_context(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
            stack.callback(process.terminate)
        for part in parts.MONITORING:
            eventually(lambda part=part: part.is_healthy(system), UP_WITHIN_S)
        monitored = Monitored(system, exporter, webhook)
        # Rates need two scrapes, and alerts on rates one more evaluation.
        eventually(lambda: monitored.query("mnist:budget_burn:rate3d"), UP_WITHIN_S)
        yield monitored


def write_webhook_configuration(folder: Path, address: str) -> Path:
    """The path of Alertmanager's configuration with this webhook for each receiver."""
    configuration = yaml.safe_load(ALERTMANAGER.read_text(encoding="utf-8"))
    for receiver in configuration["receivers"]:
        receiver["webhook_configs"] = [{"url": address}]
    configuration["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for route in configuration["route"]["routes"]:
        if route.get("receiver") == "dead-mans-switch":
            route["repeat_interval"] = "1s"
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return path


def _compress_time(folder: Path, configuration: Path) -> None:
    rules = folder / "rules"
    shutil.copytree(RULES, rules, ignore=shutil.ignore_patterns("tests"))
    for path in rules.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"for: \d+\w", "for: 1s", text), encoding="utf-8")
    text = configuration.read_text(encoding="utf-8").replace(str(RULES), str(rules))
    configuration.write_text(re.sub(r"(_interval): 10s", r"\1: 1s", text), encoding="utf-8")
