"""The controller's calls to TorchServe, against a small server with the same management API."""

import json
import re
import signal
import threading
from collections.abc import Iterator

import pytest

from ops.versions import reconcile, selfcheck
from ops.versions.management import AwayError, Management
from ops.versions.reconcile import DRAIN_S, NotUpError, Reconciler
from ops.versions.report import Report
from ops.versions.selfcheck import CheckError
from ops.versions.state import Versions
from ops.versions.workers_output import WorkersOutput
from tests.ops.versions.management_api import WORKERS, Api, serve

# Lines in the format of ops/torchserve-log4j2.xml, with thread and worker's text, and a line of the JVM.
OUTPUT = [
    b"WARNING: the JVM's own\n",
    *(
        json.dumps({"time": "", "level": "info", "message": text, "thread": thread}).encode() + b"\n"
        for thread, text in [
            ("W-9004-mnist_1.1-stdout", "model_name: mnist, batchSize: 8"),
            ("W-9004-mnist_1.1-stdout", "Traceback (most recent call last):"),
            ("W-9005-mnist_1.1-stdout", "Traceback (most recent call last):"),
            ("W-9004-mnist_1.1-stdout", '  File "handler.py", line 44, in initialize'),
            ("W-9001-mnist_1.0-stderr", "Not of this version, and no traceback"),
            ("W-9004-mnist_1.1-stdout", '    raise RuntimeError("no")'),
            ("W-9004-mnist_1.1-stdout", "RuntimeError: no weights"),
            ("W-9005-mnist_1.1-stdout", "ValueError: what came of it"),
        ]
    ),
]


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def reports() -> list[Report]:
    """The reports so far, the last one is the current one."""
    return []


@pytest.fixture
def reconciler(api: Api, clock: Clock, reports, monkeypatch) -> Iterator[Reconciler]:
    def check(version: str, default: str) -> float:
        api.checked.append((version, default))
        if version in api.wrong:
            raise CheckError("it reads a known 7 as a 1")
        return 1.25

    monkeypatch.setattr(reconcile.os, "kill", lambda pid, number: api.calls.append(f"kill {pid} {number:d}"))
    monkeypatch.setattr(selfcheck, "NEEDED_MIB", 0)
    monkeypatch.setattr(reconcile, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(reconcile, "EXIT_REASON_TIMEOUT_S", 0.2)
    with serve(api) as address:
        yield Reconciler(Management(address), WorkersOutput(OUTPUT), reports.append, check, 10.0, clock)


def _without_kills(api: Api) -> list[str]:
    return [call for call in api.done() if not call.startswith("kill")]


def test_the_default_is_registered_in_an_empty_torchserve(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    assert api.done() == ["register 1.0"]
    assert api.default == "1.0"


def test_a_reconciled_state_causes_no_call(api, reconciler, clock):
    for _ in range(2):
        reconciler.reconcile(Versions("1.1", previous="1.0", split={"1.2": 0.1}))
        clock.seconds += 2 * DRAIN_S
    api.done()
    reconciler.reconcile(Versions("1.1", previous="1.0", split={"1.2": 0.1}))
    assert api.done() == []


def test_after_a_crash_the_default_comes_first(api, reconciler):
    reconciler.reconcile(Versions("1.2", previous="1.1", split={"1.0": 0.1}))
    assert api.done() == ["register 1.2", "register 1.0", "register 1.1", "scale 1.1 1"]
    assert api.default == "1.2"


def test_a_new_default_is_registered_before_it_becomes_the_default(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == ["register 1.0", "register 1.1", "default 1.1"]


def test_a_default_that_cannot_be_registered_never_becomes_the_default(api, reconciler):
    reconciler.reconcile(Versions("1.0"))
    for way_to_fail, why in ((api.damaged, "no archive"), (api.broken, "its workers exit while they start")):
        way_to_fail.add("1.1")
        with pytest.raises(NotUpError, match=f"^{why}$"):
            reconciler.reconcile(Versions("1.1", previous="1.0"))
        way_to_fail.clear()
    assert api.default == "1.0"
    assert "1.1" not in api.workers


def test_the_drained_previous_version_keeps_one_worker(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    api.done()
    clock.seconds += DRAIN_S - 0.1
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == []
    clock.seconds += 0.2
    api.pending["1.0"] = 1
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == []
    api.pending["1.0"] = 0
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert api.done() == ["scale 1.0 1"]


def test_a_rollback_restores_all_workers(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    clock.seconds += DRAIN_S
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    api.done()
    reconciler.reconcile(Versions("1.0", previous="1.1"))
    assert api.done() == ["default 1.0", "scale 1.0 2"]


def test_an_unwanted_version_is_unregistered_after_its_drain(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0", split={"1.1": 0.1}))
    reconciler.reconcile(Versions("1.0"))
    assert api.done() == ["register 1.0", "register 1.1"]
    clock.seconds += DRAIN_S
    reconciler.reconcile(Versions("1.0"))
    assert api.done() == ["unregister 1.1"]


def test_a_failed_canary_does_not_affect_other_versions(api, reconciler):
    api.broken.add("1.1")
    for _ in range(2):
        reconciler.reconcile(Versions("1.0", split={"1.1": 0.1}))
    assert _without_kills(api) == ["register 1.0", "register 1.1", "unregister 1.1"]


def test_a_failed_candidate_is_reported_and_not_retried(api, reconciler, reports, monkeypatch):
    api.broken.add("1.1")
    with monkeypatch.context() as patch:
        # The workers' output arrives after the report of their exit.
        patch.setattr(reconcile, "EXIT_REASON_TIMEOUT_S", 60.0)
        patch.setattr(
            reconciler.output, "reset", lambda _: threading.Timer(0.3, reconciler.output.run).start()
        )
        for _ in range(2):
            reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert reports[-1].candidate == "1.1"
    assert reports[-1].rejected == {"1.1": "RuntimeError: no weights"}
    assert _without_kills(api) == ["register 1.0", "register 1.1", "unregister 1.1"]
    api.broken.clear()
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert api.done() == ["register 1.1"]


def test_a_failed_previous_version_is_retried_as_a_candidate(api, reconciler):
    api.broken.add("1.0")
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert _without_kills(api) == ["register 1.1", "register 1.0", "unregister 1.0"]
    api.broken.clear()
    reconciler.reconcile(Versions("1.1", previous="1.0", candidate="1.0"))
    assert api.done()[0] == "register 1.0"
    assert "1.0" in api.workers


def test_at_most_three_versions_are_registered(api, reconciler, clock):
    reconciler.reconcile(Versions("1.0"))
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    reconciler.reconcile(Versions("1.2", previous="1.1"))
    api.done()
    reconciler.reconcile(Versions("1.2", previous="1.1", candidate="1.3"))
    assert api.done() == []
    clock.seconds += DRAIN_S
    reconciler.reconcile(Versions("1.2", previous="1.1", candidate="1.3"))
    assert api.done() == ["unregister 1.0", "register 1.3", "scale 1.1 1"]


def test_hanging_workers_are_killed_before_unregistration(api, reconciler, reports):
    reconciler.reconcile(Versions("1.0"))
    reconciler.up_within_s = 0.2
    api.hanging.add("1.1")
    reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert reports[-1].rejected == {"1.1": "its workers were not ready within 0.2 s"}
    killed = [f"kill {api.last_pid} {signal.SIGKILL:d}"] * WORKERS
    assert api.done() == ["register 1.0", "register 1.1", *killed, "unregister 1.1"]


def test_a_candidate_is_checked_once_and_its_latency_reported(api, reconciler, reports):
    reconciler.reconcile(Versions("1.0"))
    assert reports[-1] == Report(Versions("1.0"), ["1.0"])
    for _ in range(2):
        reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert reports[-1] == Report(Versions("1.0"), ["1.0", "1.1"], "1.1", 1.25)
    assert api.checked == [("1.1", "1.0")]
    reconciler.reconcile(Versions("1.0"))
    assert (reports[-1].candidate, reports[-1].latency) == (None, None)
    reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert api.checked == [("1.1", "1.0")] * 2


def test_a_candidate_that_fails_its_check_is_rejected_until_the_command_ends(api, reconciler, reports):
    api.wrong.add("1.1")
    for _ in range(2):
        reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert reports[-1].latency is None
    assert reports[-1].rejected == {"1.1": "it reads a known 7 as a 1"}
    assert api.checked == [("1.1", "1.0")]
    reconciler.reconcile(Versions("1.0"))
    assert reports[-1].rejected == {}
    assert "unregister 1.1" in api.done()


def test_without_free_memory_a_candidate_is_not_registered(api, reconciler, reports, monkeypatch):
    monkeypatch.setattr(selfcheck, "NEEDED_MIB", 10**9)  # no machine has so many
    reconciler.reconcile(Versions("1.0", candidate="1.1"))
    assert api.done() == ["register 1.0"]
    assert re.fullmatch(
        r"it needs 1000000000 MiB of memory, and \d+ MiB are free", reports[-1].rejected["1.1"]
    )


def test_a_new_default_is_reported_before_old_versions_are_unregistered(api, reconciler, reports, clock):
    reconciler.reconcile(Versions("1.1", previous="1.0"))
    clock.seconds += DRAIN_S
    at_report: list[list[str]] = []
    reconciler.report = lambda report: (
        at_report.append(api.done()) if report.served.default == "1.2" else None
    )
    reconciler.reconcile(Versions("1.2", previous="1.1"))
    assert at_report[0][-1] == "default 1.2"
    assert "unregister 1.0" in at_report[1]


def test_a_default_that_cannot_be_served_is_reported_beside_the_served_one(api, reconciler, reports):
    reconciler.reconcile(Versions("1.0"))
    api.damaged.add("1.1")
    with pytest.raises(NotUpError):
        reconciler.reconcile(Versions("1.1", previous="1.0"))
    assert reports[-1] == Report(Versions("1.0"), ["1.0"], rejected={"1.1": "no archive"})


def test_a_torchserve_that_does_not_answer_has_no_ready_version(reconciler, reports):
    reconciler.management = Management("http://127.0.0.1:9")
    with pytest.raises(AwayError):
        reconciler.reconcile(Versions("1.0"))
    assert reports == [Report()]
