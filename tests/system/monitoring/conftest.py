"""A real system with Prometheus and Alertmanager, which tells a webhook of the tests; in use, and in trouble."""

import os
import re
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fixtures.waiting import eventually
from ops.native import supervisor
from ops.system import System
from tests.monitoring.conftest import RULES, query, write_webhook_configuration
from tests.monitoring.programs import program
from tests.monitoring.webhook import Webhook, serve_webhook
from tests.system.running import ROOT, RunningSystem, started

SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()


@dataclass(frozen=True)
class Watched:
    """What runs, and the webhook has what Alertmanager sent."""

    running: RunningSystem
    webhook: Webhook

    @property
    def system(self) -> System:
        return replace(self.running.system, monitoring=True)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return query(self.system, expression)

    def configure(self, change: Callable[[str], str]) -> None:
        """Let Prometheus take a changed configuration."""
        path = self.system.state / "monitoring" / "prometheus.yml"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        loaded = "prometheus_config_last_reload_success_timestamp_seconds"
        [before] = eventually(lambda: self.query(loaded))
        os.kill((supervisor.processes(self.system) or {})["prometheus"]["pid"], signal.SIGHUP)
        eventually(lambda: self.query(loaded)[0]["value"][1] > before["value"][1])

    @contextmanager
    def load(self, clients: int, pause_s: float) -> Iterator[None]:
        """So many clients predict and open the page in turn, with pauses; whatever the answer is."""
        stop = threading.Event()
        connections = urllib3.connection_from_url(
            self.running.address, maxsize=clients, timeout=15, retries=False
        )

        def ask() -> None:
            while not stop.wait(pause_s):
                with suppress(urllib3.exceptions.HTTPError):
                    drawing = {"X-Drawing-Id": str(uuid.uuid4())}
                    connections.request("POST", "/predict", body=SEVEN, headers=drawing)
                    connections.request("GET", "/")

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            connections.close()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, model_store: Path) -> Iterator[Watched]:
    """Each module has its own: what one did to its system would be in the other's metrics."""
    if os.environ.get("SYSTEM_ADDRESS"):
        pytest.skip("these tests start a system of their own")
    program("prometheus")
    program("alertmanager")
    folder, webhook = tmp_path_factory.mktemp("watched"), Webhook()
    with serve_webhook(webhook) as address:
        settings = {
            "MONITORING": "1",
            "ALERTMANAGER_CONFIG": str(write_webhook_configuration(folder, address)),
        }
        with started(folder / "var", model_store, **settings) as running:
            yield Watched(running, webhook)


INTERVAL_S = 5  # a scrape that takes longer fails, and on a busy machine one takes seconds


def often(configuration: str) -> str:
    """Scrape and evaluate each INTERVAL_S and not each 10 s."""
    return re.sub(r"(_interval): 10s", rf"\1: {INTERVAL_S}s", configuration)


def compressed(rules: Path, factor: int) -> Callable[[str], str]:
    """The same, and with rules whose windows are shorter by this factor; they are written to a folder."""
    rules.mkdir()
    for path in RULES.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        (rules / path.name).write_text(re.sub(r"\[(\d+)([mhd])\]", lambda m: _shorter(m, factor), text))
    return lambda configuration: often(configuration).replace(str(RULES), str(rules))


def _shorter(window: re.Match[str], factor: int) -> str:
    return f"[{int(window[1]) * {'m': 60, 'h': 3600, 'd': 86_400}[window[2]] // factor}s]"
