"""Tell an MLflow server of runs, versions, and which version serves.

    python -m ops.tracking

is `make track`, and with MLFLOW_TRACKING_URI set every target that changes one of these ends with it. What lies on disk
is compared with what the server knows, so what came while the server was away is told the next time.

The alias `champion` is the default version. `challenger` is the canary; without one the newest archive, if it is newer
than the champion.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# By default a server that is away is tried for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# Else it tells its makers what it is used for.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from dotenv import load_dotenv
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import settings
from ops import proxies
from ops.archives import PROVENANCE, DamagedError, read, read_json
from ops.errors import OpsError, run_cli
from ops.system import ROOT, System
from ops.tracker import Run, Tracker
from ops.versions import Versions, archive_name, version_key

WEIGHTS = "weights.pt"  # the checkpoint in an archive, as in training/archive.py


def track(system: System, runs: Path) -> None:
    """Tell the server what it does not know. Raises OpsError where it does not answer, or knows something else."""
    address = settings.MLFLOW_TRACKING_URI.read()
    if not address:
        raise OpsError("Setting 'MLFLOW_TRACKING_URI' is missing: the address of the MLflow server.")
    proxies.bypass(address)
    try:
        tracker = Tracker(MlflowClient(address))
        for run in _runs(system, runs):
            tracker.track(run)
        archives = _archives(system)
        for version, (archive, run) in archives.items():
            tracker.register(archive, version, run)
        if archives:
            versions = Versions.read(system.versions)
            tracker.alias("champion", versions.default)
            tracker.alias("challenger", _challenger(versions, list(archives)))
    except MlflowException as error:
        said = " ".join(str(error).split())[:300]
        raise OpsError(f"MLflow at {address} was not updated; run 'make track' later: {said}") from None


def _runs(system: System, runs: Path) -> Iterator[Run]:
    """Those of `make train`, and the last one of `make retrain`, whether it came to an archive or not."""
    for description in sorted(runs.glob("*.json")):
        if description.with_suffix(".pt").exists():
            yield _run(f"train {description.stem}", description)
    retrained = system.retraining / "challenger.json"
    if retrained.exists():
        yield _run("retrain", retrained, *sorted(system.retraining.glob("report.*")))


def _run(name: str, description: Path, *files: Path) -> Run:
    digest = hashlib.sha256(description.with_suffix(".pt").read_bytes()).hexdigest()
    return Run(name, digest, json.loads(description.read_text(encoding="utf-8")), (description, *files))


def _archives(system: System) -> dict[str, tuple[Path, Run]]:
    """Each archive that can be read, with the run that its provenance tells of, by its version."""
    found = {}
    for archive in sorted(system.model_store.glob(archive_name("*"))):
        version = archive.stem.removeprefix("mnist-")
        try:
            digest = hashlib.sha256(read(archive, WEIGHTS)).hexdigest()
            found[version] = archive, Run(f"mnist {version}", digest, read_json(archive, PROVENANCE))
        except DamagedError as error:
            print(f"{archive} is damaged and was not sent to MLflow: {error}", file=sys.stderr)
    return found


def _challenger(versions: Versions, archived: list[str]) -> str | None:
    if versions.split:
        return next(iter(versions.split))
    newest = max(archived, key=version_key)
    return newest if version_key(newest) > version_key(versions.default) else None


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Send runs, versions and aliases to an MLflow server.")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="the folder of the checkpoints")
    runs = parser.parse_args(arguments).runs
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    load_dotenv(ROOT / ".env")  # what the environment sets already, wins
    return run_cli(lambda: track(System.running_or_configured(), runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
