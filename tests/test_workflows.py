"""Workflows pin actions and images by commit or digest, Dependabot updates them, and releases deploy by digest."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
IMAGES = ROOT / ".github" / "images" / "Dockerfile"
IMAGE = "registry.example.org/mnist"
DIGESTS = {
    part: f"sha256:{number:064x}"
    for number, part in enumerate(("torchserve", "page", "exporter", "gateway", "ops"))
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_with_a_version_comment(path):
    for line in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8")):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_images_of_ci_are_pinned_to_a_digest():
    text = IMAGES.read_text(encoding="utf-8")
    images = dict(re.findall(r"^FROM (?:\S+:\d\S*@sha256:[0-9a-f]{64}) AS (\w+)()$", text, re.MULTILINE))
    assert text.count("FROM ") == len(images)
    used = {
        name for path in WORKFLOWS for name in re.findall(r"AS (\w+)\$/", path.read_text(encoding="utf-8"))
    }
    assert used == images.keys()


def test_dependabot_updates_every_requirements_file_and_image():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    folders = {update["package-ecosystem"]: set(update.get("directories", ())) for update in updates}
    assert folders["pip"] == {f"/{path.parent.name}" for path in ROOT.glob("*/requirements*.txt")}
    dockerfiles = [*ROOT.glob("*/*Dockerfile"), IMAGES]
    assert folders["docker"] == {f"/{path.parent.relative_to(ROOT)}" for path in dockerfiles}
    assert "github-actions" in folders


def test_every_image_of_a_release_is_deployed_by_its_digest():
    workflows = {path.stem: path.read_text(encoding="utf-8") for path in WORKFLOWS}
    released = re.findall(r"\{part: (\w+),", workflows["release"])
    [deployed] = re.findall(r"for part in (.+); do", workflows["deploy"])
    assert sorted(deployed.split()) == sorted(released)


@pytest.fixture
def server(tmp_path):
    """A checkout on a server that runs images of a registry, with a `docker` that logs its arguments."""
    for name in ("ops/containers.sh", "docker-compose.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".env").write_text(f"IMAGES={IMAGE}\nTAG=v1.2\n")
    secrets = tmp_path / "var" / "secrets"
    secrets.mkdir(parents=True)
    for name in re.findall(r"SECRETS=\((.+)\)", (ROOT / "ops" / "containers.sh").read_text())[0].split():
        (secrets / name).write_text("secret")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "$*" >> docker.log\ncase "$*" in "image inspect"*) exit 1;; esac\n')
    docker.chmod(0o755)
    return tmp_path


def _up(server: Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    done = subprocess.run(
        ["ops/containers.sh", "up"],
        cwd=server,
        env={"PATH": f"{server}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, (server / "docker.log").read_text().splitlines()


def test_a_deployed_release_is_pulled_by_digest(server):
    (server / "var" / "digests-v1.2").write_text(
        "".join(f"{part} {digest}\n" for part, digest in DIGESTS.items())
    )
    done, said = _up(server)
    assert done.returncode == 0, done.stderr
    for part, digest in DIGESTS.items():
        assert f"pull --quiet {IMAGE}-{part}@{digest}" in said
        assert f"tag {IMAGE}-{part}@{digest} {IMAGE}-{part}:v1.2" in said
    assert not [line for line in said if line.startswith("compose pull")]


def test_a_release_with_a_missing_digest_does_not_start(server):
    (server / "var" / "digests-v1.2").write_text(f"page {DIGESTS['page']}\n")
    done, said = _up(server)
    assert done.returncode == 1
    assert "var/digests-v1.2 has no digest of 'torchserve'" in done.stderr
    assert not [line for line in said if line.startswith("compose up")]


def test_digests_of_another_release_are_not_used(server):
    (server / "var" / "digests-v1.1").write_text(f"page {DIGESTS['page']}\n")
    done, said = _up(server)
    assert done.returncode == 0, done.stderr
    assert "compose pull --quiet" in said
