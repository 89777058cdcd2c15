"""Controllers in threads, whose TorchServes are small servers (management_api.py)."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from ops.system import System
from ops.versions import controller, reconcile, selfcheck
from ops.versions.management import Management
from ops.versions.selfcheck import CheckError
from ops.versions.state import Versions
from tests.ops.versions.management_api import Api, serve


class Replica:
    """A controller with its own folders."""

    def __init__(self, system: System) -> None:
        self.system, self.api = system, Api()
        self.reads_wrongly: set[str] = set()
        self.process = SimpleNamespace(stdout=(), returncode=None, poll=lambda: self.process.returncode)

    def start(self) -> None:
        self.process.returncode = None
        self.thread = threading.Thread(target=controller.run_controller, args=(self.system,))
        self.thread.start()

    def stop(self) -> None:
        self.process.returncode = 0
        self.thread.join()

    def check(self, version: str) -> float:
        if version in self.reads_wrongly:
            raise CheckError("it reads a known 7 as a 1")
        return 1.25

    def served(self) -> Versions | None:
        with contextlib.suppress(FileNotFoundError):
            return Versions.parse(self.system.served.read_bytes())
        return None


@contextmanager
def controllers(monkeypatch, *systems: System) -> Iterator[list[Replica]]:
    """A replica for each system, not yet started; all are stopped at the end."""
    made = [Replica(system) for system in systems]
    by_state = {each.system.state: each for each in made}
    by_inference = {each.system.inference_url: each for each in made}
    monkeypatch.setattr(controller, "start", lambda system: by_state[system.state].process)
    monkeypatch.setattr(
        controller.selfcheck, "check", lambda url, version, beside: by_inference[url].check(version)
    )
    monkeypatch.setattr(controller, "CHECK_INTERVAL_S", 0.2)
    monkeypatch.setattr(selfcheck, "NEEDED_MIB", 0)
    monkeypatch.setattr(reconcile, "DRAIN_S", 0.5)
    monkeypatch.setattr(reconcile, "EXIT_REASON_TIMEOUT_S", 0.2)
    with contextlib.ExitStack() as stack:
        addresses = {each.system.management_address: stack.enter_context(serve(each.api)) for each in made}
        monkeypatch.setattr(controller, "Management", lambda address: Management(addresses[address]))
        try:
            yield made
        finally:
            for each in made:
                each.stop()
