"""Train a challenger on the labelled drawings, and archive it as the next version if it is better."""

import os
import subprocess
from pathlib import Path

from ops.errors import OpsError
from ops.native import parts, postgres
from ops.system import ROOT, System
from ops.versions.state import RELEASED, archive_name, list_archives, version_key
from ops.versions.store import open_store

LOST = 3  # training.retrain's exit status if the challenger fails the comparison


def retrain(system: System, labels: str = "", champion: str = "") -> None:
    """Train, compare, report and archive; never swap. Raises OpsError if a step fails.

    `labels` is a file of labelled drawings, by default those of the database; `champion` is by default the default
    version.
    """
    champion = champion or open_store(system).read().default
    archive = system.model_store / archive_name(champion)
    if not archive.exists():
        remedy = f"make pull VERSION={champion}, or make archive VERSION={champion}"
        raise OpsError(f"{archive} is missing; retraining starts from this archive. Put it there: {remedy}")
    command: list[str | Path] = [
        # A low priority, because predictions come first.
        *("nice", "-n", "10", system.python("train"), "-m", "training.retrain"),
        *("--champion", champion, "--checkpoint", archive, "--output", system.retraining),
        *(("--labels", labels) if labels else ()),
    ]
    environment = {**os.environ, **parts.database_environment(system, postgres.PAGE)}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if status == LOST:
        print(f"\nNo version was archived; {champion} stays the default.")
        return
    if status != 0:
        raise OpsError(f"Retraining stopped; {champion} stays the default.")
    version = next_version(system)
    command = [
        *(system.python("serve"), "-m", "training.archive", "--version", version),
        *("--checkpoint", system.retraining / "challenger.pt", "--model-store", system.model_store),
    ]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise OpsError(f"The challenger could not be archived; {champion} stays the default.")
    print(
        f"\nArchived as {version}. Try it: make canary VERSION={version} PERCENT=10, or make swap VERSION={version}"
    )


def next_version(system: System) -> str:
    """The version after the highest one in the model store: 1.2 after 1.1."""
    versions = [RELEASED, *list_archives(system.model_store)]
    *first, last = max(versions, key=version_key).partition("-")[0].split(".")
    return ".".join([*first, str(int(last) + 1)])
