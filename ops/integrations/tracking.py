"""Synchronize training runs, versions and aliases with an MLflow server.

    python -m ops.integrations.tracking

`make track` runs this command, and with MLFLOW_TRACKING_URI also every target that changes a run, version or alias.
It compares the files on disk with the server, so it also sends changes made while the server was unavailable.

The alias `champion` is the default version. The alias `challenger` is the canary or, without one, the newest archive
if it is newer than the champion.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# By default the client retries an unavailable server for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# By default MLflow sends usage data to its developers.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from dotenv import load_dotenv
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

import settings
from ops import proxies
from ops.errors import OpsError, run_cli
from ops.files import digest
from ops.integrations.tracker import Run, Tracker
from ops.system import ROOT, System
from ops.versions.archives import PROVENANCE, DamagedError, read, read_json
from ops.versions.state import Versions, list_archives, version_key

WEIGHTS = "weights.pt"  # the checkpoint in an archive, as in training/archive/pack.py


def track(system: System, runs: Path) -> None:
    """Send missing runs, versions and aliases. Raises OpsError if the server fails or its weights differ."""
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
        reason = " ".join(str(error).split())[:300]
        raise OpsError(f"MLflow at {address} was not updated; run 'make track' later: {reason}") from None


def _runs(system: System, runs: Path) -> Iterator[Run]:
    """The runs of `make train`, and the last run of `make retrain`, archived or not."""
    for description in sorted(runs.glob("*.json")):
        if description.with_suffix(".pt").exists():
            yield _run(f"train {description.stem}", description)
    retrained = system.retraining / "challenger.json"
    if retrained.exists():
        yield _run("retrain", retrained, *sorted(system.retraining.glob("report.*")))


def _run(name: str, description: Path, *files: Path) -> Run:
    content = json.loads(description.read_text(encoding="utf-8"))
    return Run(name, digest(description.with_suffix(".pt")), content, (description, *files))


def _archives(system: System) -> dict[str, tuple[Path, Run]]:
    """The readable archives by version, each with the run of its provenance."""
    found = {}
    for version, archive in list_archives(system.model_store).items():
        try:
            weights = hashlib.sha256(read(archive, WEIGHTS)).hexdigest()
            found[version] = archive, Run(f"mnist {version}", weights, read_json(archive, PROVENANCE))
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
    load_dotenv(ROOT / ".env")  # the environment has priority
    return run_cli(lambda: track(System.running_or_configured(), runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
