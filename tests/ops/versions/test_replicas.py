"""Commands and controllers of several replicas, which share a real S3 store; their TorchServes are small servers."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fixtures.waiting import eventually
from ops.errors import OpsError
from ops.integrations.registry import NEVER_OVERWRITTEN
from ops.system import System
from ops.versions import mirror, report, swap
from ops.versions.models import models
from ops.versions.s3_store import S3Store
from ops.versions.state import RELEASED, Versions, archive_name
from tests.ops.conftest import a_system, write_archive
from tests.ops.versions.replica import Replica, controllers

pytestmark = [pytest.mark.service, pytest.mark.usefixtures("shared")]

WITHIN_S = 20
NAMES = ("first", "second")


@pytest.fixture
def operator(system, monkeypatch) -> System:
    """The machine of an operator, with archives in its model store."""
    (system.secrets / "database_owner_password").write_text("none")
    for version in (RELEASED, "7.1", "7.2"):
        write_archive(system.model_store, version)
    monkeypatch.setattr(swap, "reload", lambda system: None)  # no gateway runs
    S3Store(system).share(system.model_store / archive_name(RELEASED))
    return system


@pytest.fixture
def replicas(operator, tmp_path, monkeypatch) -> Iterator[dict[str, Replica]]:
    """Two running replicas with empty model stores."""
    monkeypatch.setattr(S3Store, "poll_s", 0.2)
    monkeypatch.setattr(mirror, "REPORT_EVERY_S", 0.5)
    monkeypatch.setattr(mirror, "RETRY_INTERVAL_S", 0.5)
    with ExitStack() as stack:
        systems = [
            stack.enter_context(a_system(tmp_path / name, 9700 + 20 * number))
            for number, name in enumerate(NAMES)
        ]
        made = stack.enter_context(controllers(monkeypatch, *systems))
        for name, each in zip(NAMES, made, strict=True):
            monkeypatch.setenv("REPLICA_NAME", name)
            each.start()
            eventually(lambda each=each: each.served() == Versions(RELEASED), WITHIN_S)
            eventually(lambda name=name: name in _reports(operator), WITHIN_S)
        yield dict(zip(NAMES, made, strict=True))


def _reports(system: System) -> dict[str, report.Report]:
    return {each.replica: each for each in S3Store(system).reports()}


def _canary(system: System, version: str) -> None:
    swap.canary(system, version, "10")


def _serve(replicas: dict[str, Replica], versions: Versions) -> Callable[[], bool]:
    return lambda: all(replica.served() == versions for replica in replicas.values())


def test_swap_canary_promote_and_rollback_act_on_all_replicas(operator, replicas, capsys):
    swap.swap(operator, "7.1")
    assert capsys.readouterr().out.splitlines()[:3] == [
        "registering 7.1 ...",
        f"7.1 reads the ten known digits correctly; its latency is 1.25 times that of {RELEASED}",
        "Database unavailable: references for drift are written at the next start or swap.",
    ]
    assert _serve(replicas, Versions("7.1", previous=RELEASED))()
    assert all(replica.api.default == "7.1" for replica in replicas.values())
    swap.canary(operator, "7.2", "10")
    assert all("7.2" in replica.api.workers for replica in replicas.values())
    eventually(_serve(replicas, Versions("7.1", previous=RELEASED, split={"7.2": 0.1})), WITHIN_S)
    swap.promote(operator)
    assert _serve(replicas, Versions("7.2", previous="7.1"))()
    swap.rollback(operator)
    assert _serve(replicas, Versions("7.1", previous="7.2"))()
    for replica in replicas.values():
        archive = replica.system.model_store / archive_name("7.2")
        assert archive.read_bytes() == (operator.model_store / archive.name).read_bytes()
    changes = [json.loads(line)["kind"] for line in operator.version_changes.read_text().splitlines()]
    assert changes == ["swap", "canary", "promote", "rollback"]


@pytest.mark.parametrize(
    ("command", "harm", "reason"),
    [
        (swap.swap, lambda replica: replica.reads_wrongly.add("7.1"), "it reads a known 7 as a 1"),
        (_canary, lambda replica: replica.api.damaged.add("7.1"), "no archive"),
        (
            swap.swap,
            lambda replica: (replica.system.model_store / archive_name("7.1")).write_bytes(b"other"),
            rf".*mnist-7\.1\.mar differs from the store's; {NEVER_OVERWRITTEN}, or delete the file",
        ),
    ],
    ids=["wrong", "does not load", "other archive"],
)
def test_a_version_that_one_replica_rejects_gets_no_traffic(operator, replicas, command, harm, reason):
    harm(replicas["second"])
    with pytest.raises(
        OpsError, match=rf"^7\.1 is not served: replica second: {reason}\. {RELEASED} stays the default\.$"
    ):
        command(operator, "7.1")
    assert S3Store(operator).read() == Versions(RELEASED)
    eventually(
        lambda: all(list(replica.api.workers) == [RELEASED] for replica in replicas.values()), WITHIN_S
    )
    assert all(replica.api.default == RELEASED for replica in replicas.values())
    assert not any(call == "default 7.1" for replica in replicas.values() for call in replica.api.calls)


def test_a_repaired_version_is_checked_again(operator, replicas):
    replicas["second"].reads_wrongly.add("7.1")
    with pytest.raises(OpsError):
        swap.swap(operator, "7.1")
    replicas["second"].reads_wrongly.clear()
    swap.swap(operator, "7.1")
    assert _serve(replicas, Versions("7.1", previous=RELEASED))()


def test_a_swap_is_undone_if_one_replica_does_not_apply_it(operator, replicas, monkeypatch):
    monkeypatch.setattr(swap, "FOLLOW_TIMEOUT_S", 3.0)
    api = replicas["second"].api
    monkeypatch.setattr(api, "stuck", True)
    with pytest.raises(
        OpsError, match=rf"^7\.1 did not become the default on replica second within 3 s; {RELEASED}"
    ):
        swap.swap(operator, "7.1")
    assert S3Store(operator).read() == Versions(RELEASED)
    eventually(_serve(replicas, Versions(RELEASED)), WITHIN_S)


def test_a_rollback_needs_the_previous_version_on_all_replicas(operator, replicas):
    swap.swap(operator, "7.1")
    replicas["second"].api.hanging.add(RELEASED)
    eventually(lambda: _reports(operator)["second"].ready == ["7.1"], WITHIN_S)
    with pytest.raises(
        OpsError, match=f"^The previous version {RELEASED} is not ready on replica second; 7.1 stays"
    ):
        swap.rollback(operator)


def test_the_second_of_two_concurrent_swaps_is_refused(operator, replicas, monkeypatch):
    refused = []

    def swap_too(store, version):
        with pytest.raises(OpsError) as raised:
            swap.swap(operator, "7.2")
        refused.append(str(raised.value))
        return waited(store, version)

    waited = swap._wait_until_checked
    monkeypatch.setattr(swap, "_wait_until_checked", swap_too)
    swap.swap(operator, "7.1")
    assert refused == [
        "Another swap, rollback or canary is running on this system; wait until it ends. See: make models"
    ]
    assert _serve(replicas, Versions("7.1", previous=RELEASED))()


def test_an_absent_replica_applies_the_state_after_its_return(operator, replicas, capsys, monkeypatch):
    monkeypatch.setattr(report, "AWAY_AFTER_S", 3.0)
    monkeypatch.setattr(S3Store, "forget", lambda store: None)  # as after a power failure
    replicas["second"].stop()
    eventually(lambda: _reports(operator)["second"].is_away, WITHIN_S)
    swap.swap(operator, "7.1")
    assert replicas["first"].served() == Versions("7.1", previous=RELEASED)
    assert replicas["second"].served() == Versions(RELEASED)
    models(operator)
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("TorchServe unavailable") for line in lines)
    [first, second] = [line for line in lines if line.startswith(NAMES)]
    assert first.split()[:3] == ["first", "present", "7.1"]
    assert second.split()[:3] == ["second", "away", "for"]
    replicas["second"].start()  # REPLICA_NAME is still its name
    eventually(_serve(replicas, Versions("7.1", previous=RELEASED)), WITHIN_S)


def test_without_a_replica_nothing_changes(operator, replicas):
    for replica in replicas.values():
        replica.stop()
    with pytest.raises(OpsError, match="The system is not running"):
        swap.swap(operator, "7.1")


def test_replicas_serve_the_last_state_while_the_store_is_unavailable(operator, replicas, monkeypatch):
    swap.swap(operator, "7.1")
    second = replicas["second"]
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise OpsError("The S3 store failed: away")

        patch.setattr(S3Store, "_get", fail)
        patch.setattr(S3Store, "report", fail)
        with pytest.raises(OpsError, match="away"):
            swap.rollback(operator)
        second.stop()
        second.api.workers.clear()  # a new TorchServe
        second.system.served.unlink()
        second.start()
        eventually(lambda: second.served() == Versions("7.1", previous=RELEASED), WITHIN_S)
        second.stop()
        second.api.workers.clear()
        second.system.versions.unlink()  # a new machine has no state
        second.api.done()
        second.start()
        time.sleep(3 * S3Store.poll_s)
        assert second.api.done() == []
    eventually(lambda: list(second.api.workers), WITHIN_S)
    assert second.api.default == "7.1"


def test_a_swap_serves_a_version_that_is_only_in_the_store(operator, replicas):
    archive = operator.model_store / archive_name("7.1")
    S3Store(operator).share(archive)
    archive.unlink()
    swap.swap(operator, "7.1")
    assert _serve(replicas, Versions("7.1", previous=RELEASED))()
    with pytest.raises(
        OpsError, match=r"^9\.9 is not served: mnist-9\.9\.mar is not in the store\. Push it first"
    ):
        swap.swap(operator, "9.9")


def test_a_killed_command_leaves_a_candidate_that_nobody_serves(operator, replicas):
    store = S3Store(operator)
    store.share(operator.model_store / archive_name("7.1"))
    store.read()
    store.write(Versions(RELEASED, candidate="7.1"))  # without a lease
    time.sleep(3 * S3Store.poll_s)
    assert all(list(replica.api.workers) == [RELEASED] for replica in replicas.values())
    swap.swap(operator, "7.2")
    assert store.read() == Versions("7.2", previous=RELEASED)
