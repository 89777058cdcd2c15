"""The exporter's metrics of a running system."""

import os
import re
import signal

import pytest
import requests

from fixtures import victims
from fixtures.waiting import eventually
from ops.versions.state import RELEASED
from tests.system.malformed_bodies import KNOWN_DIGITS
from tests.system.running import RunningSystem

SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)
PREDICTED = (
    f'mnist_requests_total{{listener="public",model_version="{RELEASED}",route="predict",status="200"}}'
)
NETWORK = f'mnist_stage_duration_seconds_count{{model_version="{RELEASED}",stage="network"}}'


def metrics(running: RunningSystem) -> dict[str, float]:
    text = requests.get(f"http://127.0.0.1:{running.system.exporter_port}/metrics", timeout=30).text
    return {name: float(value) for name, value in SAMPLE.findall(text)}


def test_gateway_and_worker_count_each_prediction(system: RunningSystem):
    before = metrics(system)
    for _ in range(5):
        assert system.predict((KNOWN_DIGITS / "7.png").read_bytes()).ok
    eventually(lambda: metrics(system)[PREDICTED] >= before.get(PREDICTED, 0) + 5)
    eventually(lambda: metrics(system)[NETWORK] >= before.get(NETWORK, 0) + 5)


def test_every_part_is_up_and_every_subject_is_read(system: RunningSystem):
    found = metrics(system)
    for part in ("gateway", "torchserve", "page", "deliverer", "postgres"):
        assert found[f'mnist_part_up{{part="{part}"}}'] == 1
    assert {value for name, value in found.items() if name.startswith("mnist_exporter_failed")} == {0}
    assert found["mnist_database_size_bytes"] > 0
    assert found[f'mnist_queue_duration_seconds_sum{{model_version="{RELEASED}"}}'] > 0
    assert found[f'mnist_model_version_share{{model_version="{RELEASED}"}}'] == 1


@pytest.mark.harms
def test_counters_continue_after_a_kill_of_the_exporter_and_predictions_do_not_wait(
    own_system: RunningSystem,
):
    assert own_system.predict((KNOWN_DIGITS / "7.png").read_bytes()).ok
    before = eventually(lambda: metrics(own_system).get(PREDICTED))
    [killed] = victims.PROCESS_IDS["exporter"](own_system.system)
    os.kill(killed, signal.SIGKILL)
    assert own_system.predict((KNOWN_DIGITS / "7.png").read_bytes()).ok
    eventually(lambda: metrics(own_system)[PREDICTED] >= before)


@pytest.mark.harms
@pytest.mark.parametrize("part", ["page", "postgres"])
def test_the_metric_of_a_part_that_does_not_answer_is_0(own_system: RunningSystem, part):
    [pid] = victims.PROCESS_IDS[part](own_system.system)
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: metrics(own_system)[f'mnist_part_up{{part="{part}"}}'] == 0)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: metrics(own_system)[f'mnist_part_up{{part="{part}"}}'] == 1)
