"""The targets of the Makefile: their commands, and the one-line errors with a remedy."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Without the variables of the `make` that runs these tests.
    environment = {name: value for name, value in os.environ.items() if name not in ("ARGS", "SPEED")}
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def bare_checkout(tmp_path):
    """A checkout without environments, whose first lock is broken."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for path in ROOT.glob("*/requirements*"):
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        (tmp_path / path.relative_to(ROOT)).touch()
    (tmp_path / "ops" / "requirements.lock").write_text("=broken=\n")
    return tmp_path


def test_make_without_a_target_prints_the_help():
    assert _make().stdout == _make("help").stdout
    assert "  up " in _make().stdout


def test_make_test_runs_every_test_that_needs_no_container_engine():
    commands = _make("-n", "test").stdout
    ignored = {ROOT / path for path in re.findall(r"--ignore=(\S+)", commands)}
    assert ignored <= {ROOT / word for word in commands.split()}
    run = {
        file
        for word in commands.split()
        if word.startswith("tests/")
        for path in ROOT.glob(word)
        for file in (path.rglob("test_*.py") if path.is_dir() else [path])
    }
    with_engine = {
        *(ROOT / "tests" / "containers").glob("test_*.py"),
        *(ROOT / "tests" / "swarm").glob("test_*.py"),
    }
    without = {"test_compose_file.py", "test_stack_file.py", "test_commands.py"}
    assert {*(ROOT / "tests").rglob("test_*.py")} - run == {
        path for path in with_engine if path.name not in without
    }


def test_archive_without_a_version_gives_an_example():
    done = _make("archive")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "VERSION is missing, for example: make archive VERSION=1.1"


@pytest.mark.parametrize("version", ["latest", "1", "../1.0", "1.0; id"])
def test_archive_with_a_wrong_version_names_it(version):
    done = _make("archive", f"VERSION={version}")
    assert done.returncode != 0
    assert done.stderr.startswith(
        f"VERSION '{version}' is not a version, for example: make archive VERSION=1.1\n"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "DAYS is missing, for example: make prune DAYS=30"),
        (
            ("DAYS=soon",),
            "DAYS 'soon' is not a number of days from 1 to 36500, for example: make prune DAYS=30",
        ),
        (
            ("DAYS=0; id",),
            "DAYS '0; id' is not a number of days from 1 to 36500, for example: make prune DAYS=30",
        ),
    ],
)
def test_prune_with_missing_or_wrong_days_gives_an_example(words, error):
    done = _make("prune", *words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == error


def test_without_a_suitable_python_the_accepted_versions_are_named(bare_checkout):
    done = _make("PYTHON=", ".venv/ops/installed", folder=bare_checkout)
    assert done.returncode != 0
    assert "Python 3.11 to 3.13 with venv is needed" in done.stderr
    assert "make PYTHON=" in done.stderr


@pytest.mark.parametrize("character", list('"$`\\*?[:'))
def test_an_unusable_checkout_path_is_reported_before_the_installation(bare_checkout, character):
    folder = bare_checkout / f"a{character}b"
    folder.mkdir()
    for path in (*bare_checkout.glob("*/requirements*"), bare_checkout / "Makefile"):
        copy = folder / path.relative_to(bare_checkout)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    done = _make("PYTHON=false", ".venv/ops/installed", folder=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"The folder of this checkout, {folder}, has one of the characters "
        '" $ ` \\ * ? [ : in its path. Choose a folder without it.'
    )


def test_a_failed_installation_is_reported_and_repeated(bare_checkout):
    # A stand-in for `python -m venv FOLDER`, which takes seconds: it makes a folder with this Python.
    python = bare_checkout / "python"
    python.write_text(
        f"""#!/bin/sh
        mkdir -p "$3/bin"
        printf '#!/bin/sh\\nexec {sys.executable} "$@"' > "$3/bin/python"
        chmod +x "$3/bin/python"
        """
    )
    python.chmod(0o755)
    for _ in range(2):
        done = _make(".venv/ops/installed", f"PYTHON={python}", folder=bare_checkout)
        assert done.returncode != 0
        assert "Installing .venv/ops failed:" in done.stderr
        assert "=broken=" in done.stderr
        assert not (bare_checkout / ".venv" / "ops" / "installed").exists()


def test_make_fails_if_arguments_select_no_test(bare_checkout):
    # A stand-in for `python -m venv FOLDER`: in its environments, pytest ends with the status for "no test selected".
    python = bare_checkout / "python"
    python.write_text(
        """#!/bin/sh
        mkdir -p "$3/bin"
        printf '#!/bin/sh\ncase "$*" in *pytest*) exit 5;; esac' > "$3/bin/python"
        chmod +x "$3/bin/python"
        cp "$3/bin/python" "$3/bin/ruff"
        cp "$3/bin/python" "$3/bin/mypy"
        """
    )
    python.chmod(0o755)
    done = _make("check", "ARGS=-k nothing", f"PYTHON={python}", folder=bare_checkout)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "ARGS '-k nothing' select no test"


@pytest.mark.parametrize(
    ("place", "report"),
    [
        ("native", ".venv/tracking/bin/python -m ops.integrations.tracking"),
        ("containers", "ops/containers.sh track"),
        ("swarm", "ops/containers.sh track"),
    ],
)
def test_commands_report_to_mlflow_if_its_address_is_set(bare_checkout, place, report):
    targets = ["train", "retrain", "archive", "swap", "rollback", "canary", "promote"]

    def count_reports(*words: str) -> int:
        commands = _make("-n", f"RUNS_IN={place}", "VERSION=1.2", *targets, *words, folder=bare_checkout)
        return commands.stdout.count(report)

    assert count_reports() == 0
    assert count_reports("MLFLOW_TRACKING_URI=http://127.0.0.1:5000") == len(targets)
    (bare_checkout / ".env").write_text("MLFLOW_TRACKING_URI=http://127.0.0.1:5000\n")
    assert count_reports() == len(targets)


def test_training_without_real_drawings_fetches_only_mnist(bare_checkout):
    for arguments, fetched in (("--epochs 3", ""), ("--without-real-drawings", " --without-real-drawings")):
        commands = _make("-n", "train", f"ARGS={arguments}", folder=bare_checkout).stdout.splitlines()
        [data] = [command for command in commands if "-m training.data" in command]
        assert data.endswith(f"-m training.data{fetched}")


def test_an_unknown_runs_in_names_the_accepted_values():
    done = _make("status", "RUNS_IN=cloud")
    assert done.returncode == 2
    assert "Setting 'RUNS_IN' has value 'cloud'. Accepted: native, containers, swarm" in done.stderr


@pytest.mark.parametrize(
    ("place", "words", "runs"),
    [
        ("native", ("swap", "VERSION=1.2"), '-m ops swap "1.2"'),
        ("containers", ("swap", "VERSION=1.2"), 'ops/containers.sh swap "1.2"'),
        ("native", ("retrain", "LABELS=a.zip", "CHAMPION=1.2"), '-m ops retrain "a.zip" "1.2"'),
        ("containers", ("retrain",), 'ops/containers.sh retrain "" ""'),
        ("native", ("push-labels", "UNTIL=2026-12-01"), '-m ops write-labels "" "2026-12-01"'),
        ("containers", ("push-labels",), 'ops/containers.sh push-labels "$file"'),
        ("native", ("pull-labels", "NAME=a.zip"), '-m ops.integrations.registry pull-labels "a.zip"'),
        ("swarm", ("swap", "VERSION=1.2"), 'ops/containers.sh swap "1.2"'),
        ("native", ("train", "QUICK=1"), "-m training.train --quick"),
        ("containers", ("train", "QUICK=1"), "ops/containers.sh training training.train --quick"),
    ],
)
def test_a_command_runs_natively_or_in_containers(bare_checkout, place, words, runs):
    (bare_checkout / ".env").write_text(f"RUNS_IN={place}\n")
    done = _make("--dry-run", *words, folder=bare_checkout)
    assert runs in done.stdout
    assert (".venv" in done.stdout) is (place == "native")


def test_the_training_container_gets_labels_and_champion(tmp_path):
    (tmp_path / "ops").mkdir()
    shutil.copy(ROOT / "ops" / "containers.sh", tmp_path / "ops")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "$*" >> docker.log\n')
    docker.chmod(0o755)
    command = ["ops/containers.sh", "retrain", "a b.zip", "1.2"]
    path = f"{docker.parent}:{os.environ['PATH']}"
    subprocess.run(command, cwd=tmp_path, env={"PATH": path}, check=True, capture_output=True)
    [line] = [
        line for line in (tmp_path / "docker.log").read_text().splitlines() if "training.retrain" in line
    ]
    assert "--champion 1.2 --checkpoint model_store/mnist-1.2.mar" in line
    assert line.endswith(" --labels a b.zip")


@pytest.mark.parametrize(("target", "command"), [("upgrade", "pull"), ("undo", "switch --detach COMMIT")])
def test_an_upgrade_is_for_containers(target, command):
    done = _make(target, "RUNS_IN=native")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"make {target} needs RUNS_IN=containers; natively: make down, git {command}, make up"
    )
