"""Both stores of versions: the files of one machine, and a real S3 server."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ops.errors import OpsError
from ops.versions import report, s3_store
from ops.versions.report import Report
from ops.versions.state import CHANGED, RELEASED, Versions, archive_name
from ops.versions.store import VersionsStore, open_store, read_current
from tests.ops.conftest import write_archive
from tests.system.running import ROOT

REPORT = Report(Versions("1.1", split={"1.2": 0.1}), ["1.1", "1.2"], "1.3", 1.25, {"1.4": "it is wrong"})
REFUSAL = "Another command is running"


@pytest.fixture(params=["files", pytest.param("s3", marks=pytest.mark.service)])
def kind(request) -> str:
    if request.param == "s3":
        request.getfixturevalue("shared")
    return request.param


@pytest.fixture
def store(kind, system) -> VersionsStore:
    return open_store(system)


@pytest.fixture
def other(kind, system) -> VersionsStore:
    """The store of another operator."""
    return open_store(system)


def test_without_a_state_the_released_version_is_the_default(store, other):
    assert store.read() == Versions(RELEASED)
    store.write(Versions("1.1", previous=RELEASED))
    assert other.read() == store.read() == Versions("1.1", previous=RELEASED)


def test_a_concurrent_change_of_the_state_is_not_overwritten(store, other):
    for first, second in ((Versions("1.1"), Versions("1.2")), (Versions("1.3"), Versions("1.4"))):
        store.read()
        other.read()
        store.write(first)
        with pytest.raises(OpsError, match=CHANGED):
            other.write(second)
        assert other.read() == first


@pytest.mark.service
@pytest.mark.usefixtures("shared")
def test_one_of_many_concurrent_writers_succeeds(system):
    for round_ in range(5):  # the first one creates the state
        stores = [s3_store.S3Store(system) for _ in range(8)]
        for each in stores:
            each.read()
        start = threading.Barrier(len(stores))

        def write(number: int, round_=round_, stores=stores, start=start) -> bool:
            start.wait()
            with contextlib.suppress(OpsError):
                stores[number].write(Versions(f"{round_}.{number}"))
                return True
            return False

        with ThreadPoolExecutor(len(stores)) as writers:
            done = list(writers.map(write, range(len(stores))))
        assert done.count(True) == 1
        assert s3_store.S3Store(system).read().default == f"{round_}.{done.index(True)}"


def test_a_lock_refuses_a_second_command_until_the_first_ends(store, other):
    assert not store.is_locked()
    for _ in range(2):
        with store.lock(REFUSAL):
            assert other.is_locked()
            with pytest.raises(OpsError, match=REFUSAL), other.lock(REFUSAL):
                pass
        assert not other.is_locked()
    with pytest.raises(ZeroDivisionError), store.lock(REFUSAL):
        1 / 0  # noqa: B018
    assert not other.is_locked()


def test_a_candidate_is_current_only_while_its_command_runs(store, other):
    store.read()
    store.write(Versions("1.1", candidate="1.2"))
    assert read_current(other) == Versions("1.1")
    with store.lock(REFUSAL):
        assert read_current(other) == Versions("1.1", candidate="1.2")


def test_one_of_many_concurrent_commands_gets_the_lock(kind, system):
    for _ in range(3):
        start, end = threading.Barrier(6, timeout=60), threading.Barrier(6, timeout=60)

        def take(_, start=start, end=end) -> bool:
            store = open_store(system)
            start.wait()
            try:
                with store.lock(REFUSAL):
                    end.wait()
            except OpsError:
                end.wait()
                return False
            return True

        with ThreadPoolExecutor(6) as commands:
            assert list(commands.map(take, range(6))).count(True) == 1


def test_a_killed_command_leaves_no_lock(kind, store, system, monkeypatch):
    monkeypatch.setattr(s3_store, "AWAY_AFTER_S", 2.0)
    code = (
        "import os; from ops.system import System; from ops.versions.store import open_store\n"
        "store = open_store(System.from_settings())\n"
        "with store.lock('no'): print('held', flush=True); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "STATE_DIR": str(system.state)}
    killed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert killed.stdout == "held\n", killed.stderr
    if kind == "s3":
        assert store.is_locked()
        time.sleep(3.1)
    with store.lock(REFUSAL):
        pass


def test_a_report_is_read_back(store, other, monkeypatch):
    assert store.reports() == []
    monkeypatch.setenv("REPLICA_NAME", "first")
    store.report(REPORT)
    [read] = other.reports()
    assert replace(read, age_s=0.0, replica="") == REPORT
    store.report(Report())
    assert [each.served for each in other.reports()] == [None]


@pytest.mark.service
@pytest.mark.usefixtures("shared")
def test_each_replica_has_a_report_with_an_age(system, monkeypatch):
    stores = []
    for name in ("first", "second"):
        monkeypatch.setenv("REPLICA_NAME", name)
        stores.append(s3_store.S3Store(system))
        stores[-1].report(REPORT)
    monkeypatch.setattr(report, "AWAY_AFTER_S", 2.0)
    assert [(each.replica, each.is_away) for each in stores[0].reports()] == [
        ("first", False),
        ("second", False),
    ]
    time.sleep(3.1)
    stores[1].report(REPORT)
    assert [(each.replica, each.is_away) for each in stores[0].reports()] == [
        ("first", True),
        ("second", False),
    ]
    stores[0].forget()
    assert [each.replica for each in stores[0].reports()] == ["second"]
    monkeypatch.setattr(s3_store, "FORGET_AFTER_S", -1.0)
    assert stores[0].reports() == []


@pytest.mark.service
@pytest.mark.usefixtures("shared")
def test_a_lease_is_renewed_while_its_command_runs(system, monkeypatch):
    monkeypatch.setattr(s3_store, "RENEW_EVERY_S", 0.5)
    monkeypatch.setattr(s3_store, "AWAY_AFTER_S", 2.0)
    store, other = s3_store.S3Store(system), s3_store.S3Store(system)
    with store.lock(REFUSAL):
        time.sleep(3.5)
        assert other.is_locked()


@pytest.mark.service
@pytest.mark.usefixtures("shared")
def test_an_archive_reaches_another_machine(system, tmp_path):
    archive = write_archive(system.model_store, "7.1")
    there = replace(system, model_store=tmp_path / "there")
    there.model_store.mkdir()
    here, other = s3_store.S3Store(system), s3_store.S3Store(there)
    with pytest.raises(OpsError, match=r"mnist-7\.1\.mar is not in the store\. Push it first"):
        other.fetch("7.1")
    here.fetch("7.1")  # an archive that is only local is kept
    here.share(archive)
    with ThreadPoolExecutor(3) as replicas:  # replicas may share a model store
        list(replicas.map(lambda _: s3_store.S3Store(there).fetch("7.1"), range(3)))
    assert (there.model_store / archive_name("7.1")).read_bytes() == archive.read_bytes()
    archive.write_bytes(b"other")
    for transfer in (lambda: here.fetch("7.1"), lambda: here.share(archive)):
        with pytest.raises(OpsError, match="a version is never overwritten"):
            transfer()


@pytest.mark.service
@pytest.mark.usefixtures("shared")
def test_a_damaged_shared_state_is_named(system):
    store = s3_store.S3Store(system)
    store._put("versions.json", json.dumps({"default": "latest"}), None)
    with pytest.raises(
        OpsError, match=r"s3://of-a-test-.*/versions\.json is not a valid versions file: 'latest'"
    ):
        store.read()


def test_the_error_names_an_unavailable_store_but_not_its_key(system, monkeypatch):
    for name, value in {
        "VERSIONS_IN": "s3",
        "S3_ENDPOINT": "http://127.0.0.1:9",
        "S3_ACCESS_KEY": "the-key",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("S3_SECRET_KEY", "of the store")
    with pytest.raises(OpsError, match=r"^The S3 store at http://127\.0\.0\.1:9 failed: ") as raised:
        open_store(system).read()
    assert "of the store" not in str(raised.value)


def test_a_native_system_rejects_the_shared_store(system, monkeypatch):
    monkeypatch.setenv("VERSIONS_IN", "s3")
    monkeypatch.setattr("ops.versions.store.importlib.util.find_spec", lambda name: None)
    with pytest.raises(OpsError, match="a native system needs VERSIONS_IN=files"):
        open_store(system)


def test_one_machine_loads_neither_boto3_nor_requests_into_its_controller():
    code = "import sys, ops.versions.controller; print({'boto3', 'requests', 'psutil'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
