"""Send runs, versions and aliases to an MLflow server.

    tracker = Tracker(MlflowClient("http://127.0.0.1:5000"))
    tracker.register(Path("model_store/mnist-1.3.mar"), run)
    tracker.alias("champion", "1.3")

Each method sends only missing data.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.entities.model_registry import ModelVersion

from ops.errors import OpsError

# The name of the experiment and of the registered model.
NAME = "mnist"
CHECKPOINT = "checkpoint_sha256"  # the tag that identifies a run and its archives
VERSION = "version"  # a tag, because MLflow numbers versions 1, 2, 3
CARD = Path(__file__).with_name("model_card.md.template")
_NOT_IN_A_NAME = re.compile(r"[^\w\-. :/]")


@dataclass(frozen=True)
class Run:
    """A training run: the checkpoint's SHA-256 and provenance, and further files to upload."""

    name: str
    checkpoint: str
    content: dict[str, Any]
    files: Sequence[Path] = ()


class Tracker:
    """The runs and versions on one server. Methods raise MlflowException if it does not answer."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        found = client.get_experiment_by_name(NAME)
        self._experiment = found.experiment_id if found else client.create_experiment(NAME)

    def track(self, run: Run) -> str:
        """Add a run unless the server has one of this checkpoint, and return its id."""
        of_it = f"tags.{CHECKPOINT} = '{run.checkpoint}' and attributes.status = 'FINISHED'"
        known = self._client.search_runs([self._experiment], of_it)
        if known:
            return str(known[0].info.run_id)
        text = card(run.name, run.content)
        tags = {
            CHECKPOINT: run.checkpoint,
            "mlflow.source.git.commit": run.content["git_revision"],
            "mlflow.note.content": text,
        }
        created = self._client.create_run(self._experiment, tags=tags, run_name=run.name)
        run_id = str(created.info.run_id)
        try:
            begun = created.info.start_time
            self._client.log_batch(run_id, metrics=list(_metrics(run.content, begun)))
            self._client.log_batch(run_id, params=_parameters(run.content))
            self._client.log_text(run_id, text, "model_card.md")
            for path in run.files:
                self._client.log_artifact(run_id, str(path))
            self._client.set_terminated(run_id)
        except BaseException:  # leave no incomplete run
            self._client.delete_run(run_id)
            raise
        print(f"MLflow: run '{run.name}' added")
        return run_id

    def register(self, archive: Path, version: str, run: Run) -> None:
        """Register an archive and its run. Raises OpsError if the version has other weights on the server."""
        known = self._registered(version)
        if known is not None:
            if known.tags.get(CHECKPOINT) != run.checkpoint:
                raise OpsError(
                    f"{version} is registered in MLflow with different weights; a version is never overwritten"
                )
            return
        run_id = self.track(run)
        self._client.log_artifact(run_id, str(archive), "archive")
        if not self._client.search_registered_models(f"name = '{NAME}'"):
            self._client.create_registered_model(NAME)
        self._client.create_model_version(
            NAME,
            f"{self._client.get_run(run_id).info.artifact_uri}/archive",
            run_id,
            tags={VERSION: version, CHECKPOINT: run.checkpoint},
            description=card(f"mnist {version}", run.content),
        )
        print(f"MLflow: version {version} registered")

    def alias(self, alias: str, version: str | None) -> None:
        """Set an alias to a registered version, or delete it."""
        known = self._registered(version) if version else None
        current = self._client.get_registered_model(NAME).aliases.get(alias)
        if known is None and current is not None:
            self._client.delete_registered_model_alias(NAME, alias)
            print(f"MLflow: alias {alias} removed")
        elif known is not None and str(known.version) != current:
            self._client.set_registered_model_alias(NAME, alias, known.version)
            print(f"MLflow: alias {alias} set to {version}")

    def _registered(self, version: str) -> ModelVersion | None:
        found = self._client.search_model_versions(f"name = '{NAME}' and tags.{VERSION} = '{version}'")
        return found[0] if found else None


def _metrics(content: dict[str, Any], begun: int) -> Iterator[Metric]:
    """A run's metrics, the curves over epochs, and the comparison of challenger and champion."""
    metrics = content["metrics"]
    numbers = {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
    numbers |= {name: content[name] for name in ("temperature", "digit_threshold")}
    if "labelled_drawings" in content:
        numbers["labelled_drawings"] = len(content["labelled_drawings"])
    for line in content.get("judged", []):
        name = _NOT_IN_A_NAME.sub("", line["name"])
        numbers |= {f"{name}/{model}": line[model] for model in ("champion", "challenger")}
    for name, value in numbers.items():
        yield Metric(name, value, begun, 0)
    for epoch, reached in enumerate(metrics.get("curve", []), 1):
        for name, value in reached.items():
            yield Metric(f"epoch/{name}", value, begun, epoch)


def _parameters(content: dict[str, Any]) -> list[Param]:
    parameters = dict(content["settings"])
    parameters |= {f"checksum {name}": checksum for name, checksum in content["data_checksums"].items()}
    parameters |= {f"library {name}": version for name, version in content["libraries"].items()}
    if "champion" in content:
        parameters["champion"] = content["champion"]
    return [Param(name, str(value)) for name, value in parameters.items()]


def card(name: str, content: dict[str, Any]) -> str:
    """The model card of a run or a version, as Markdown: purpose, training data, metrics and settings."""
    numbers = {name: f"{value:.4f}" for name, value in content["metrics"].items() if isinstance(value, float)}
    data = "MNIST's training set and generated drawings"
    if not content["settings"].get("without_real_drawings", True):  # releases up to 1.4 used no real drawings
        data += " and people's pen strokes"
    if "champion" in content:
        labelled = len(content["labelled_drawings"])
        data = f"the data of {content['champion']}, from whose weights it starts, and {labelled} labelled drawings"
    metrics, settings = (
        "\n".join(f"| {row} | {value} |" for row, value in table.items())
        for table in (numbers, content["settings"])
    )
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        name=name, commit=content["git_revision"], data=data, metrics=metrics, settings=settings
    )
