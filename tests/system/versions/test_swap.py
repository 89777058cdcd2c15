"""Versions are swapped, split and rolled back while others predict, and nobody is left without an answer."""

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
from tests.system.over_http.test_lifecycle import INSERT
from tests.system.running import ROOT, UP_WITHIN_S, RunningSystem

GOOD = ("7.1", "7.2", "7.3")
# How many clients, and how many seconds each waits between an answer and its next request: they leave the machine to
# the workers that start. `make bench BENCH=swaps` has 20 without a pause.
CROWD = 4, 0.05
WATCHING = 2, 0.05
SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()


@pytest.fixture(scope="module")
def swapped(own_system: RunningSystem) -> Iterator[RunningSystem]:
    """A system whose model store has more good versions; in the end it serves the released one again."""
    released = own_system.system.model_store / archive_name(RELEASED)
    made = [archives.copy(released, version) for version in GOOD]
    yield own_system
    if Versions.read(own_system.system.versions).default != RELEASED:
        done = own_system.ops("swap", RELEASED)
        assert done.returncode == 0, done.stderr
    for path in made:
        path.unlink()


class Clients:
    """So many who predict, each anew at once or after a pause; what they were answered, and when they had asked.

    By urllib3, for `requests` on top of it computes five times as long: it kept a core from those who answer.
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
            asked = time.monotonic()
            try:
                response = self._connections.request(
                    "POST", "/predictions/mnist", body=SEVEN, headers=headers
                )
                answer = response.json()
                said = answer.get("model_version", f"{response.status} {answer}")
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                said = repr(error)
            self.answers.append((asked, said))

    def versions(self, since: float = 0.0) -> Counter[str]:
        """What answered, and what else was said, to those who asked from a time on."""
        return Counter(said for when, said in self.answers if when >= since)


def _done(system: RunningSystem, *words: str) -> str:
    done = system.ops(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nobody_notices_swaps_rollbacks_and_canaries(swapped: RunningSystem):
    first, second, third = GOOD
    with Clients(swapped, *CROWD) as clients:
        assert f"{first} is the default now." in _done(swapped, "swap", first)
        _done(swapped, "swap", second)
        assert f"{first} is the default again." in _done(swapped, "rollback")
        since = time.monotonic()
        _done(swapped, "canary", third, "10")
        _done(swapped, "canary", third, "50")
        eventually(lambda: third in clients.versions(since))
        during = clients.versions(since)
        _done(swapped, "promote")
        since_last = time.monotonic()
        _done(swapped, "swap", RELEASED)
        eventually(lambda: clients.answers[-1][1] == RELEASED)
    answered = clients.versions()
    assert answered.keys() == {RELEASED, *GOOD}  # and no error
    assert during.keys() == {first, third}
    # A version that is out is asked no more.
    assert clients.versions(since_last).keys() == {third, RELEASED}


def test_what_is_served_and_what_is_logged_outlive_down_and_up_and_a_crash(swapped: RunningSystem):
    first, second, _ = GOOD
    _done(swapped, "swap", first)
    _done(swapped, "canary", second, "30")
    ids = [str(uuid.uuid4()) for _ in range(40)]
    before = _versions(swapped, ids)
    assert set(before) == {first, second}
    kept = swapped.rows(INSERT, uuid.uuid4())
    _done(swapped, "down")
    assert find(swapped.system) == []
    assert swapped.ops("status").stdout.startswith("The system is not running.")
    _done(swapped, "up")
    assert set(kept) <= set(swapped.rows("SELECT id FROM predictions"))
    eventually(lambda: _is_up(swapped, second), timeout_s=60)
    assert _versions(swapped, ids) == before
    jvm = next(process for process in find(swapped.system) if process.name() == "java")
    os.kill(jvm.pid, signal.SIGKILL)
    # While the canary is not there, the default answers its share.
    eventually(lambda: set(_versions(swapped, ids[:10])) <= {first, second}, timeout_s=60)
    eventually(lambda: _is_up(swapped, second), timeout_s=60)
    assert _versions(swapped, ids) == before
    rows = {line.split()[0]: line for line in _done(swapped, "models").splitlines()[1:]}
    assert "default, 70 %" in rows[first]
    assert "canary, 30 %" in rows[second]
    assert "previous" in rows[RELEASED]
    assert "ready" in rows[RELEASED]
    _done(swapped, "canary", second, "0")
    assert set(_versions(swapped, ids)) == {first}
    _done(swapped, "rollback")


@pytest.mark.parametrize(
    ("wanted", "middle"),
    [
        # A version that no earlier test has left registered.
        pytest.param(GOOD[2], lambda system: GOOD[2] in _registered(system), marks=pytest.mark.slow),
        (GOOD[1], lambda system: Versions.read(system.system.versions).default == GOOD[1]),
    ],
    ids=["while it is registered", "while it takes over"],
)
def test_torchserve_killed_in_the_middle_of_a_swap_serves_one_of_the_two(
    swapped: RunningSystem, wanted, middle
):
    before = Versions.read(swapped.system.versions).default
    with _begun(swapped, "swap", wanted) as swap:
        eventually(lambda: middle(swapped))
        jvm = next(process for process in find(swapped.system) if process.name() == "java")
        os.kill(jvm.pid, signal.SIGKILL)
        said = swap.communicate(timeout=150)
    serves = wanted if swap.returncode == 0 else before
    assert swap.returncode == 0 or f"{wanted} is not served: " in said[1], said
    eventually(lambda: set(_versions(swapped, [None] * 3)) == {serves}, timeout_s=60)
    [row] = [line for line in _done(swapped, "models").splitlines() if " default" in line]
    assert row.startswith(f"{serves} ")


def test_one_change_at_a_time_and_a_swap_that_is_killed_leaves_nothing(swapped: RunningSystem):
    before, wanted = Versions.read(swapped.system.versions).default, GOOD[0]
    with _begun(swapped, "swap", wanted) as swap:
        eventually(lambda: wanted in _registered(swapped))
        os.kill(swap.pid, signal.SIGSTOP)  # or it may be done before the others are refused
        try:
            for words in (("swap", GOOD[1]), ("rollback",), ("canary", GOOD[1], "10"), ("promote",)):
                refused = swapped.ops(*words)
                assert refused.returncode == 1
                assert refused.stderr.startswith("Another swap, rollback or canary is running")
        finally:
            swap.kill()
    eventually(lambda: wanted not in _registered(swapped))
    assert _versions(swapped, [None]) == [before]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (archives.replace_initialize("raise RuntimeError('of no use')"), "RuntimeError: of no use"),
        # As the kernel ends a process that takes too much memory. Its last words are waited for: 12 s.
        pytest.param(
            archives.replace_initialize("import os; os.kill(os.getpid(), 9)"),
            "its workers exit while they start",
            marks=pytest.mark.slow,
        ),
        pytest.param(archives.limit_memory(2**20), "emory", marks=pytest.mark.slow),
        (archives.corrupt_file("weights.pt"), "Error: "),
        pytest.param(archives.corrupt_file(archives.HANDLER), "Error: ", marks=pytest.mark.slow),
        pytest.param(archives.replace_code(archives.TOO_SLOW), "times as long as ", marks=pytest.mark.slow),
        (archives.replace_code(archives.ALWAYS_A_THREE), "it reads a known 0 as a 3"),
        (archives.replace_code(archives.UNDER_ANOTHER_NAME), "it reports version '0.1'"),
        (archives.replace_code(archives.RAISES), "answered a known digit with status 500"),
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
def test_what_does_not_serve_is_not_served(swapped: RunningSystem, change, why):
    broken = archives.copy(swapped.system.model_store / archive_name(RELEASED), "7.9", change)
    try:
        _is_refused(swapped, "7.9", why)
    finally:
        broken.unlink()


def test_a_damaged_or_missing_archive_is_not_served(swapped: RunningSystem):
    released = swapped.system.model_store / archive_name(RELEASED)
    _is_refused(swapped, "7.9", f"there is no {released.with_name('mnist-7.9.mar')}")
    broken = archives.truncate(released, "7.9")
    _is_refused(swapped, "7.9", "is damaged")
    broken.write_bytes(released.read_bytes())
    _is_refused(swapped, "7.9", f"contains mnist {RELEASED}, not mnist 7.9")
    broken.unlink()


@pytest.mark.slow
def test_workers_that_never_come_up_are_given_up(swapped: RunningSystem):
    released = swapped.system.model_store / archive_name(RELEASED)
    hanging = archives.copy(released, "7.9", archives.replace_initialize("import time; time.sleep(1000)"))
    try:
        _is_refused(swapped, "7.9", f"its workers were not ready within {UP_WITHIN_S} s")
    finally:
        hanging.unlink()


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_what_cannot_be_done_is_named_with_a_way_out(swapped: RunningSystem, words, said):
    done = swapped.ops(*words)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def _is_refused(system: RunningSystem, version: str, why: str) -> None:
    before = Versions.read(system.system.versions)
    with Clients(system, *WATCHING) as clients:
        done = system.ops("swap", version)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{version} is not served: ")
    assert done.stderr.endswith(f". {before.default} stays the default.\n")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert clients.versions().keys() == {before.default}
    assert Versions.read(system.system.versions) == replace(before, candidate=None)
    eventually(lambda: version not in _registered(system))
    assert not [process for process in find(system.system) if process.status() == psutil.STATUS_ZOMBIE]


def _begun(system: RunningSystem, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ops", *words],
        cwd=ROOT,
        env=system.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _registered(system: RunningSystem) -> set[str]:
    return set(Management(system.system.management_address).list_versions())


def _is_up(system: RunningSystem, version: str) -> bool:
    found = Management(system.system.management_address).list_versions().get(version)
    return found is not None and found.is_up


def _versions(system: RunningSystem, ids: list[str | None]) -> list[str]:
    """Which version answers drawings of these ids."""
    answers = [system.predict(SEVEN, **({"X-Drawing-Id": id_} if id_ else {})) for id_ in ids]
    for answer in answers:
        answer.raise_for_status()
    return [answer.json()["model_version"] for answer in answers]
