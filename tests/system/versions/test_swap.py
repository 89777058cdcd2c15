"""Swaps, canaries and rollbacks under load: every request gets an answer."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
import urllib3

from fixtures import archives
from fixtures.waiting import eventually
from ops.native.leftovers import find
from ops.versions.management import Management
from ops.versions.state import RELEASED, Versions, archive_name
from ops.versions.swap import EXAMPLE_OF_CANARY
from tests.system.running import ROOT, UP_WITHIN_S, RunningSystem

GOOD = ("7.1", "7.2", "7.3")
# Number of clients, and the pause of each after an answer, in seconds, so that starting workers get processor time.
# `make bench BENCH=swaps` has 20 clients without a pause.
MANY = 4, 0.05
FEW = 2, 0.05
SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()


@pytest.fixture(scope="module")
def swapped(own_system: RunningSystem) -> Iterator[RunningSystem]:
    """A system whose model store has three more working versions. Afterwards it serves the released one again."""
    released = own_system.system.model_store / archive_name(RELEASED)
    made = [archives.copy(released, version) for version in GOOD]
    yield own_system
    if Versions.read(own_system.system.versions).default != RELEASED:
        done = own_system.ops("swap", RELEASED)
        assert done.returncode == 0, done.stderr
    for path in made:
        path.unlink()


class Clients:
    """Threads that predict repeatedly with a pause; `answers` has time of the request and version or error of each.

    With urllib3, because `requests` takes five times as much of the processor that the workers need.
    """

    def __init__(self, system: RunningSystem, count: int, pause_s: float) -> None:
        self._connections = urllib3.connection_from_url(
            system.address, maxsize=count, timeout=30, retries=False
        )
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        self.answers: list[tuple[float, str]] = []

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        eventually(lambda: len(self.answers) > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._connections.close()

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            headers = {"X-Drawing-Id": str(uuid.uuid4())}
            started = time.monotonic()
            try:
                response = self._connections.request(
                    "POST", "/predictions/mnist", body=SEVEN, headers=headers
                )
                answer = response.json()
                result = answer.get("model_version", f"{response.status} {answer}")
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                result = repr(error)
            self.answers.append((started, result))

    def versions(self, since: float = 0.0) -> Counter[str]:
        """The versions that answered requests since a time, and the errors."""
        return Counter(result for started, result in self.answers if started >= since)


def _run(system: RunningSystem, *words: str) -> str:
    done = system.ops(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_swaps_rollbacks_and_canaries_lose_no_request(swapped: RunningSystem):
    first, second, third = GOOD
    with Clients(swapped, *MANY) as clients:
        assert f"{first} is the default now." in _run(swapped, "swap", first)
        _run(swapped, "swap", second)
        assert f"{first} is the default again." in _run(swapped, "rollback")
        since = time.monotonic()
        _run(swapped, "canary", third, "10")
        _run(swapped, "canary", third, "50")
        eventually(lambda: third in clients.versions(since))
        during = clients.versions(since)
        _run(swapped, "promote")
        since_last = time.monotonic()
        _run(swapped, "swap", RELEASED)
        eventually(lambda: clients.answers[-1][1] == RELEASED)
    answered = clients.versions()
    assert answered.keys() == {RELEASED, *GOOD}  # and no error
    assert during.keys() == {first, third}
    # A replaced version gets no more requests.
    assert clients.versions(since_last).keys() == {third, RELEASED}


@pytest.mark.slow  # tests/ops/versions/test_reconcile.py has the empty TorchServe, test_lifecycle.py the restart
def test_versions_split_and_drawings_survive_a_restart(swapped: RunningSystem):
    second = GOOD[1]
    ids, before = _start_canary(swapped)
    inserted = swapped.insert()
    _run(swapped, "down")
    assert find(swapped.system) == []
    assert swapped.ops("status").stdout.startswith("The system is not running.")
    _run(swapped, "up")
    assert (inserted,) in swapped.rows("SELECT id FROM predictions")
    eventually(lambda: _is_up(swapped, second), timeout_s=60)
    assert _versions(swapped, ids) == before
    _assert_canary_is_listed(swapped)
    _end_canary(swapped, ids)


@pytest.mark.slow  # test_the_reported_version_is_served_after_a_kill_of_torchserve_during_a_swap kills the same process
def test_versions_and_split_survive_a_crash(swapped: RunningSystem):
    first, second, _ = GOOD
    ids, before = _start_canary(swapped)
    jvm = next(process for process in find(swapped.system) if process.name() == "java")
    os.kill(jvm.pid, signal.SIGKILL)
    # Until the canary is up, the default answers its share.
    eventually(lambda: set(_versions(swapped, ids[:10])) <= {first, second}, timeout_s=60)
    eventually(lambda: _is_up(swapped, second), timeout_s=60)
    assert _versions(swapped, ids) == before
    _assert_canary_is_listed(swapped)
    _end_canary(swapped, ids)


def _start_canary(system: RunningSystem) -> tuple[list[str], list[str]]:
    """Make the first version the default and the second a canary; returns ids of drawings and their versions."""
    first, second, _ = GOOD
    _run(system, "swap", first)
    _run(system, "canary", second, "30")
    ids = [str(uuid.uuid4()) for _ in range(40)]
    versions = _versions(system, ids)
    assert set(versions) == {first, second}
    return ids, versions


def _assert_canary_is_listed(system: RunningSystem) -> None:
    first, second, _ = GOOD
    rows = {line.split()[0]: line for line in _run(system, "models").splitlines()[1:]}
    assert "default, 70 %" in rows[first]
    assert "canary, 30 %" in rows[second]
    assert "previous" in rows[RELEASED]
    assert "ready" in rows[RELEASED]


def _end_canary(system: RunningSystem, ids: list[str]) -> None:
    first, second, _ = GOOD
    _run(system, "canary", second, "0")
    assert set(_versions(system, ids)) == {first}
    _run(system, "rollback")


@pytest.mark.parametrize(
    ("wanted", "middle"),
    [
        # A version that no earlier test registered.
        pytest.param(GOOD[2], lambda system: GOOD[2] in _list_registered(system), marks=pytest.mark.slow),
        (GOOD[1], lambda system: Versions.read(system.system.versions).default == GOOD[1]),
    ],
    ids=["while it is registered", "while it takes over"],
)
def test_the_reported_version_is_served_after_a_kill_of_torchserve_during_a_swap(
    swapped: RunningSystem, wanted, middle
):
    before = Versions.read(swapped.system.versions).default
    with _start(swapped, "swap", wanted) as swap:
        eventually(lambda: middle(swapped))
        jvm = next(process for process in find(swapped.system) if process.name() == "java")
        os.kill(jvm.pid, signal.SIGKILL)
        output, errors = swap.communicate(timeout=150)
    expected = wanted if swap.returncode == 0 else before
    assert swap.returncode == 0 or f"{wanted} is not served: " in errors, output + errors
    eventually(lambda: set(_versions(swapped, [None] * 3)) == {expected}, timeout_s=60)
    [row] = [line for line in _run(swapped, "models").splitlines() if " default" in line]
    assert row.startswith(f"{expected} ")


def test_a_second_change_is_refused_and_a_killed_swap_is_undone(swapped: RunningSystem):
    before, wanted = Versions.read(swapped.system.versions).default, GOOD[0]
    with _start(swapped, "swap", wanted) as swap:
        eventually(lambda: wanted in _list_registered(swapped))
        os.kill(swap.pid, signal.SIGSTOP)  # otherwise it can end before the others are refused
        try:
            for words in (("swap", GOOD[1]), ("rollback",), ("canary", GOOD[1], "10"), ("promote",)):
                refused = swapped.ops(*words)
                assert refused.returncode == 1
                assert refused.stderr.startswith("Another swap, rollback or canary is running")
        finally:
            swap.kill()
    eventually(lambda: wanted not in _list_registered(swapped))
    assert _versions(swapped, [None]) == [before]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (archives.replace_initialize("raise RuntimeError('of no use')"), "RuntimeError: of no use"),
        # The signal of the kernel's out-of-memory killer. The test waits 12 s for the end of the worker's log.
        pytest.param(
            archives.replace_initialize("import os; os.kill(os.getpid(), 9)"),
            "its workers exit while they start",
            marks=pytest.mark.slow,
        ),
        pytest.param(archives.limit_memory(2**20), "emory", marks=pytest.mark.slow),
        pytest.param(archives.corrupt_file("weights.pt"), "Error: ", marks=pytest.mark.slow),
        pytest.param(archives.corrupt_file(archives.HANDLER), "Error: ", marks=pytest.mark.slow),
        pytest.param(archives.replace_code(archives.TOO_SLOW), "times as long as ", marks=pytest.mark.slow),
        (archives.replace_code(archives.ALWAYS_A_THREE), "it reads a known 0 as a 3"),
        # tests/ops/versions/test_selfcheck.py has the next two with a small server.
        pytest.param(
            archives.replace_code(archives.REPORTS_ANOTHER_VERSION),
            "it reports version '0.1'",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            archives.replace_code(archives.RAISES),
            "answered a known digit with status 500",
            marks=pytest.mark.slow,
        ),
    ],
    ids=[
        "handler raises",
        "worker killed",
        "little memory",
        "weights",
        "handler",
        "slow",
        "wrong",
        "name",
        "model raises",
    ],
)
def test_a_version_that_fails_its_check_is_not_served(swapped: RunningSystem, change, why):
    broken = archives.copy(swapped.system.model_store / archive_name(RELEASED), "7.9", change)
    try:
        _assert_refused(swapped, "7.9", why)
    finally:
        broken.unlink()


def test_a_damaged_or_missing_archive_is_not_served(swapped: RunningSystem):
    released = swapped.system.model_store / archive_name(RELEASED)
    _assert_refused(swapped, "7.9", f"there is no {released.with_name('mnist-7.9.mar')}")
    broken = archives.truncate(released, "7.9")
    _assert_refused(swapped, "7.9", "is damaged")
    broken.write_bytes(released.read_bytes())
    _assert_refused(swapped, "7.9", f"contains mnist {RELEASED}, not mnist 7.9")
    broken.unlink()


@pytest.mark.slow
def test_a_version_whose_workers_do_not_start_in_time_is_not_served(swapped: RunningSystem):
    released = swapped.system.model_store / archive_name(RELEASED)
    hanging = archives.copy(released, "7.9", archives.replace_initialize("import time; time.sleep(1000)"))
    try:
        _assert_refused(swapped, "7.9", f"its workers were not ready within {UP_WITHIN_S} s")
    finally:
        hanging.unlink()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("swap",), "VERSION is missing, for example: make swap VERSION=1.1"),
        (("swap", "latest"), "VERSION 'latest' is not a version, for example: make swap VERSION=1.1"),
        (("canary", "7.1"), f"PERCENT is missing, for example: make {EXAMPLE_OF_CANARY}"),
        (("canary", "7.1", "half"), "PERCENT 'half' is not a number from 0 to 99.99"),
        (("canary", "7.1", "100"), "PERCENT '100' is not a number from 0 to 99.99"),
        (("canary", "7.1", "nan"), "PERCENT 'nan' is not a number from 0 to 99.99"),
        (("promote",), "There is no canary to promote."),
        (("canary", "7.1", "0"), "VERSION '7.1' is not a canary."),
    ],
)
def test_the_error_for_a_wrong_argument_names_the_remedy(swapped: RunningSystem, words, error):
    done = swapped.ops(*words)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(error)
    assert len(done.stderr.splitlines()) == 1


def _assert_refused(system: RunningSystem, version: str, why: str) -> None:
    before = Versions.read(system.system.versions)
    with Clients(system, *FEW) as clients:
        done = system.ops("swap", version)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{version} is not served: ")
    assert done.stderr.endswith(f". {before.default} stays the default.\n")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert clients.versions().keys() == {before.default}
    assert Versions.read(system.system.versions) == replace(before, candidate=None)
    eventually(lambda: version not in _list_registered(system))
    assert not [process for process in find(system.system) if process.status() == psutil.STATUS_ZOMBIE]


def _start(system: RunningSystem, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ops", *words],
        cwd=ROOT,
        env=system.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _list_registered(system: RunningSystem) -> set[str]:
    return set(Management(system.system.management_address).list_versions())


def _is_up(system: RunningSystem, version: str) -> bool:
    found = Management(system.system.management_address).list_versions().get(version)
    return found is not None and found.is_up


def _versions(system: RunningSystem, ids: list[str | None]) -> list[str]:
    """The versions that answer drawings with these ids."""
    answers = [system.predict(SEVEN, **({"X-Drawing-Id": id_} if id_ else {})) for id_ in ids]
    for answer in answers:
        answer.raise_for_status()
    return [answer.json()["model_version"] for answer in answers]
