"""A real system with Prometheus, and with Alertmanager, which sends alerts to a webhook of the tests."""

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
from tests.system.running import ROOT, RunningSystem, start_system

SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()


@dataclass(frozen=True)
class Watched:
    """A running system with monitoring, and the webhook that receives its alerts."""

    running: RunningSystem
    webhook: Webhook

    @property
    def system(self) -> System:
        return replace(self.running.system, monitoring=True)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return query(self.system, expression)

    def configure(self, change: Callable[[str], str]) -> None:
        """Change Prometheus's configuration and let it reload."""
        path = self.system.state / "monitoring" / "prometheus.yml"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        loaded = "prometheus_config_last_reload_success_timestamp_seconds"
        [before] = eventually(lambda: self.query(loaded))
        os.kill((supervisor.processes(self.system) or {})["prometheus"]["pid"], signal.SIGHUP)
        eventually(lambda: self.query(loaded)[0]["value"][1] > before["value"][1])

    @contextmanager
    def load(self, clients: int, pause_s: float) -> Iterator[None]:
        """Clients that predict and open the page in turn, with pauses; errors are ignored."""
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
    """A system for each module, because the effects of a module stay in the metrics of its system."""
    if os.environ.get("SYSTEM_ADDRESS"):
        pytest.skip("these tests start their own system")
    program("prometheus")
    program("alertmanager")
    folder, webhook = tmp_path_factory.mktemp("watched"), Webhook()
    with serve_webhook(webhook) as address:
        settings = {
            "MONITORING": "1",
            "ALERTMANAGER_CONFIG": str(write_webhook_configuration(folder, address)),
        }
        with start_system(folder / "var", model_store, **settings) as running:
            yield Watched(running, webhook)


INTERVAL_S = 5  # a scrape that takes longer fails; on a busy machine a scrape takes seconds


def shorten_intervals(configuration: str) -> str:
    """A configuration that scrapes and evaluates every INTERVAL_S instead of every 10 s."""
    return re.sub(r"(_interval): 10s", rf"\1: {INTERVAL_S}s", configuration)


def shorten_windows(rules: Path, factor: int) -> Callable[[str], str]:
    """Like shorten_intervals, and with rules whose windows are divided by the factor; `rules` is their folder."""
    rules.mkdir()
    for path in RULES.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        (rules / path.name).write_text(re.sub(r"\[(\d+)([mhd])\]", lambda m: _divide(m, factor), text))
    return lambda configuration: shorten_intervals(configuration).replace(str(RULES), str(rules))


def _divide(window: re.Match[str], factor: int) -> str:
    return f"[{int(window[1]) * {'m': 60, 'h': 3600, 'd': 86_400}[window[2]] // factor}s]"
