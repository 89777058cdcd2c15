"""The commands of one machine: messages without a replica's name. Its TorchServe is a small server."""

import re
from collections.abc import Iterator

import pytest

from fixtures.waiting import eventually
from ops.errors import OpsError
from ops.versions import selfcheck, swap
from ops.versions.models import models
from ops.versions.state import CHANGED, RELEASED, Versions
from tests.ops.conftest import write_archive
from tests.ops.versions.replica import Replica, controllers

WITHIN_S = 20


@pytest.fixture
def replica(system, monkeypatch) -> Iterator[Replica]:
    (system.secrets / "database_owner_password").write_text("none")
    for version in (RELEASED, "7.1", "7.2"):
        write_archive(system.model_store, version)
    monkeypatch.setattr(swap, "_is_running", lambda system, store: True)
    monkeypatch.setattr(swap, "reload", lambda system: None)  # no gateway runs
    with controllers(monkeypatch, system) as [replica]:
        replica.start()
        eventually(lambda: replica.served() == Versions(RELEASED), WITHIN_S)
        yield replica


def test_a_version_becomes_the_default_and_back(replica, capsys):
    swap.swap(replica.system, "7.1")
    assert replica.served() == Versions("7.1", previous=RELEASED)
    swap.rollback(replica.system)
    assert replica.served() == Versions(RELEASED, previous="7.1")
    assert capsys.readouterr().out.splitlines() == [
        "registering 7.1 ...",
        f"7.1 reads the ten known digits correctly; its latency is 1.25 times that of {RELEASED}",
        "Database unavailable: references for drift are written at the next start or swap.",
        f"7.1 is the default now. {RELEASED} stays loaded; to go back to it: make rollback",
        f"{RELEASED} is the default again. 7.1 stays loaded; to go back to it: make rollback",
    ]
    models(replica.system)
    assert "replica" not in capsys.readouterr().out


def test_without_free_memory_no_version_is_registered(replica, monkeypatch):
    monkeypatch.setattr(selfcheck, "NEEDED_MIB", 10**9)  # no machine has so many
    with pytest.raises(OpsError) as refused:
        swap.swap(replica.system, "7.1")
    assert re.fullmatch(
        rf"7\.1 is not served: it needs 1000000000 MiB of memory, and \d+ MiB are free\. "
        rf"{RELEASED} stays the default\.",
        str(refused.value),
    )
    assert replica.api.done() == [f"register {RELEASED}"]
    assert Versions.read(replica.system.versions) == Versions(RELEASED)


def test_a_repaired_version_is_checked_again(replica):
    replica.reads_wrongly.add("7.1")
    with pytest.raises(OpsError, match=rf"^7\.1 is not served: it reads a known 7 as a 1\. {RELEASED} stays"):
        swap.canary(replica.system, "7.1", "10")
    replica.reads_wrongly.clear()
    swap.canary(replica.system, "7.1", "10")
    assert Versions.read(replica.system.versions) == Versions(RELEASED, split={"7.1": 0.1})


def test_a_swap_is_undone_if_the_default_does_not_change(replica, monkeypatch):
    monkeypatch.setattr(swap, "FOLLOW_TIMEOUT_S", 1.0)
    replica.api.stuck = True
    with pytest.raises(OpsError) as undone:
        swap.swap(replica.system, "7.1")
    assert str(undone.value) == (
        f"7.1 did not become the default within 1 s; {RELEASED} stays the default. See: make status"
    )
    assert Versions.read(replica.system.versions) == Versions(RELEASED)


def test_a_concurrent_change_of_the_file_is_not_overwritten(replica, monkeypatch):
    edited = Versions(RELEASED, previous="7.2")
    monkeypatch.setattr(swap, "write_references", lambda system: edited.write(system.versions))
    with pytest.raises(OpsError, match=CHANGED):
        swap.swap(replica.system, "7.1")
    assert Versions.read(replica.system.versions) == edited
