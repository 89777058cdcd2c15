"""`make up MONITORING=1`."""

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import requests

from fixtures.waiting import eventually
from ops.native import leftovers, monitoring
from tests.monitoring.programs import program
from tests.system.running import start_system


@pytest.mark.slow
def test_a_system_with_monitoring_scrapes_itself_and_stops_completely(tmp_path: Path, model_store: Path):
    if os.environ.get("SYSTEM_ADDRESS"):
        pytest.skip("this test starts its own system")
    program("prometheus")
    program("alertmanager")
    with start_system(tmp_path / "a b%c'd;e{f}g#h" / "var", model_store, MONITORING="1") as running:
        status = running.ops("status").stdout
        for part in ("prometheus", "alertmanager"):
            [line] = [line for line in status.splitlines() if line.startswith(part)]
            assert line.endswith("yes")
        system = replace(running.system, monitoring=True)
        again = running.ops("up").stdout
        assert f"Monitoring: {system.address}/monitoring/\n" in again
        query = f"{monitoring.url(system, 'prometheus')}/api/v1/query?query=up%3D%3D1"
        eventually(
            lambda: (
                {
                    result["metric"]["job"]
                    for result in requests.get(query, timeout=10).json()["data"]["result"]
                }
                == {"exporter", "prometheus", "alertmanager"}
            )
        )
        # Monitoring listens on loopback only.
        listening = {
            (connection.laddr.ip, connection.laddr.port)
            for process in leftovers.find(system)
            if "prometheus" in process.name() or "alertmanager" in process.name()
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {("127.0.0.1", system.prometheus_port), ("127.0.0.1", system.alertmanager_port)}
