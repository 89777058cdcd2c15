"""Runs, versions and aliases on a real MLflow server with PostgreSQL; the client has its own environment."""

import hashlib
import json
import os
import signal
import subprocess
import zipfile
from pathlib import Path

import psycopg
import pytest
import requests

from fixtures.ports import free_ports
from fixtures.waiting import eventually
from ops.native import postgres
from ops.versions.state import Versions, archive_name
from tests.ops.conftest import a_server, a_system
from tests.system.proxy import proxy
from tests.system.running import ROOT

TRACKING, SERVER = (ROOT / ".venv" / name / "bin" for name in ("tracking", "mlflow"))
# The description of a training run; only its structure matters here.
DESCRIPTION = {
    "temperature": 0.5,
    "digit_threshold": 0.75,
    "settings": {
        "epochs": 2,
        "learning_rate": 0.004,
        "output": "runs/latest.pt",
        "without_real_drawings": False,
    },
    "metrics": {
        "validation_accuracy": 0.9946,
        "curve": [{"loss": 0.9, "validation_accuracy": 0.98}, {"loss": 0.4, "validation_accuracy": 0.9946}],
        "students": [{"validation_accuracy": 0.9946}],
    },
    "git_revision": "0123456789",
    "libraries": {"torch": "2.14.1"},
    "data_checksums": {"train-images": "6bbc"},
}
RETRAINED = DESCRIPTION | {
    "champion": "1.1",
    "labelled_drawings": {"a": 1, "b": 2},
    "judged": [
        {
            "name": "labelled drawings, accuracy",
            "champion": 0.79,
            "challenger": 0.9,
            "holds": True,
            "note": "",
        }
    ],
}

pytestmark = pytest.mark.skipif(
    not ((SERVER / "mlflow").exists() and TRACKING.exists()) and "CI" not in os.environ,
    reason="no MLflow server is installed: make .venv/mlflow/installed .venv/tracking/installed",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an MLflow server with its own database."""
    folder = tmp_path_factory.mktemp("mlflow")
    with a_system(folder) as system, a_server(system), (folder / "mlflow.log").open("wb") as log:
        server = postgres.owner_url(system).rpartition("/")[0]
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE mlflow")
        port = free_ports(30_500, 1)
        command = [
            SERVER / "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1",
            f"--backend-store-uri={server}/mlflow", f"--artifacts-destination={folder / 'artifacts'}",
        ]  # fmt: skip
        # As in docker-compose.yml. By default the server starts more processes.
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
        ) as process:
            try:
                address = f"http://127.0.0.1:{port}"
                eventually(lambda: requests.get(f"{address}/health", timeout=5).ok, timeout_s=90)
                yield address
            finally:
                os.killpg(process.pid, signal.SIGKILL)


class TrackedSystem:
    """A stopped system whose runs, archives and versions are sent to a server."""

    def __init__(self, system, folder, address):
        self.system, self.runs, self.address = system, folder / "runs", address
        self.runs.mkdir()

    def track(self, **environment):
        return subprocess.run(
            [TRACKING / "python", "-m", "ops.integrations.tracking", "--runs", self.runs],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "STATE_DIR": str(self.system.state),
                "MODEL_STORE": str(self.system.model_store),
                "MLFLOW_TRACKING_URI": self.address,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def sync(self) -> list[str]:
        """Run `make track` and return its output lines."""
        done = self.track()
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout.splitlines()

    def post(self, what, **body):
        answer = requests.post(f"{self.address}/api/2.0/mlflow/{what}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def get(self, what, **parameters):
        answer = requests.get(f"{self.address}/api/2.0/mlflow/{what}", params=parameters, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def run_of(self, checkpoint):
        """The server's run of these bytes, and the names of its files."""
        digest = hashlib.sha256(checkpoint).hexdigest()
        experiment = self.get("experiments/get-by-name", experiment_name="mnist")["experiment"]
        found = self.post(
            "runs/search",
            experiment_ids=[experiment["experiment_id"]],
            filter=f"tags.checkpoint_sha256 = '{digest}'",
        )
        [run] = found.get("runs", [])
        listed = self.get("artifacts/list", run_id=run["info"]["run_id"])["files"]
        return run, {file["path"] for file in listed}

    def alias(self, name) -> str | None:
        """The version that an alias names."""
        model = self.get("registered-models/get", name="mnist")["registered_model"]
        aliases = {alias["alias"]: alias["version"] for alias in model.get("aliases", [])}
        if name not in aliases:
            return None
        found = self.get("model-versions/get", name="mnist", version=aliases[name])["model_version"]
        return {tag["key"]: tag["value"] for tag in found["tags"]}["version"]


@pytest.fixture
def tracked(server, system, tmp_path):
    return TrackedSystem(system, tmp_path, server)


def _write_run(folder: Path, name: str, content, checkpoint: bytes) -> None:
    (folder / f"{name}.pt").write_bytes(checkpoint)
    (folder / f"{name}.json").write_text(json.dumps(content))


def _write_archive(system, version: str, content, checkpoint: bytes) -> Path:
    made = system.model_store / archive_name(version)
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("weights.pt", checkpoint)
        archive.writestr("provenance.json", json.dumps(content))
    return made


def test_a_local_server_is_reached_without_a_proxy(tracked):
    _write_run(tracked.runs, "proxied", DESCRIPTION, b"proxied")
    with proxy() as outside:
        done = tracked.track(**outside.environment)
        assert done.returncode == 0, done.stderr
        assert outside.requests == []


def test_a_run_is_sent_once_with_parameters_curves_metrics_and_card(tracked):
    _write_run(tracked.runs, "latest", DESCRIPTION, b"a run")
    (tracked.runs / "unfinished.pt").write_bytes(b"a run that goes on")
    assert tracked.sync() == ["MLflow: run 'train latest' added"]
    run, files = tracked.run_of(b"a run")
    assert run["info"]["status"] == "FINISHED"
    assert files == {"model_card.md", "latest.json"}
    parameters = {each["key"]: each["value"] for each in run["data"]["params"]}
    assert parameters["epochs"] == "2"
    assert parameters["checksum train-images"] == "6bbc"
    assert parameters["library torch"] == "2.14.1"
    metrics = {each["key"]: each["value"] for each in run["data"]["metrics"]}
    assert metrics["validation_accuracy"] == 0.9946
    curve = tracked.get("metrics/get-history", run_id=run["info"]["run_id"], metric_key="epoch/loss")[
        "metrics"
    ]
    assert [(point["step"], point["value"]) for point in curve] == [(1, 0.9), (2, 0.4)]
    [card] = [tag["value"] for tag in run["data"]["tags"] if tag["key"] == "mlflow.note.content"]
    assert "MNIST's training set and generated drawings and people's pen strokes" in card
    assert tracked.sync() == []


def test_archives_become_versions_and_aliases_name_champion_and_challenger(tracked):
    before, after = b"the champion's weights", b"the challenger's weights"
    Versions("1.1").write(tracked.system.versions)
    _write_archive(tracked.system, "1.1", DESCRIPTION, before)
    tracked.system.retraining.mkdir()
    _write_run(tracked.system.retraining, "challenger", RETRAINED, after)
    (tracked.system.retraining / "report.html").write_text("<p>better</p>")
    challenger = _write_archive(tracked.system, "1.2", RETRAINED, after)
    assert tracked.sync() == [
        "MLflow: run 'retrain' added",
        "MLflow: run 'mnist 1.1' added",
        "MLflow: version 1.1 registered",
        "MLflow: version 1.2 registered",
        "MLflow: alias champion set to 1.1",
        "MLflow: alias challenger set to 1.2",
    ]
    run, files = tracked.run_of(after)
    assert files == {"model_card.md", "challenger.json", "report.html", "archive"}
    metrics = {each["key"]: each["value"] for each in run["data"]["metrics"]}
    assert metrics["labelled_drawings"] == 2
    assert metrics["labelled drawings accuracy/champion"] == 0.79
    assert metrics["labelled drawings accuracy/challenger"] == 0.9
    uri = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    kept = requests.get(
        f"{tracked.address}/api/2.0/mlflow-artifacts/artifacts/{uri}/archive/{challenger.name}", timeout=30
    )
    assert kept.content == challenger.read_bytes()

    Versions("1.2", previous="1.1").write(tracked.system.versions)
    assert tracked.sync() == ["MLflow: alias champion set to 1.2", "MLflow: alias challenger removed"]
    assert (tracked.alias("champion"), tracked.alias("challenger")) == ("1.2", None)
    Versions("1.2", split={"1.1": 0.1}).write(tracked.system.versions)
    tracked.sync()
    assert (tracked.alias("champion"), tracked.alias("challenger")) == ("1.2", "1.1")

    _write_archive(tracked.system, "1.2", RETRAINED, b"other weights")
    refused = tracked.track()
    assert refused.returncode == 1
    assert refused.stderr == (
        "1.2 is registered in MLflow with different weights; a version is never overwritten\n"
    )


def test_an_incomplete_run_is_deleted(tracked):
    refused = DESCRIPTION | {"metrics": {"validation_accuracy": 0.9, "what is ? no name": 1.0}}
    _write_run(tracked.runs, "latest", refused, b"refused at first")
    assert tracked.track().returncode == 1
    _write_run(tracked.runs, "latest", DESCRIPTION, b"refused at first")
    assert tracked.sync() == ["MLflow: run 'train latest' added"]
    assert tracked.run_of(b"refused at first")[0]["info"]["status"] == "FINISHED"


def test_an_unavailable_server_gets_the_run_later(tracked):
    _write_run(tracked.runs, "latest", DESCRIPTION, b"trained while it was away")
    done = tracked.track(MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("MLflow at http://127.0.0.1:9 was not updated; run 'make track' later: ")
    assert tracked.sync() == ["MLflow: run 'train latest' added"]


def test_a_missing_address_names_the_setting(tracked):
    done = tracked.track(MLFLOW_TRACKING_URI="")
    assert done.returncode == 1
    assert done.stderr.startswith("Setting 'MLFLOW_TRACKING_URI' is missing: ")
