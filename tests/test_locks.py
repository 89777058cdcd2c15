"""The locks match the requirements files, and pip installs only from them. These tests need no network."""

import functools
import itertools
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
ALL = sorted(ROOT.glob("*/requirements*.txt"))
TORCH = [path for path in ALL if path.name.endswith("-torch.txt")]
REQUIREMENTS = [path for path in ALL if path not in TORCH]
# The environment of MLflow's server is installed from these two files (Makefile).
ALONE, BESIDE_IT = ROOT / "ops/requirements-mlflow.txt", ROOT / "tests/requirements-mlflow.txt"
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
COMMANDS = [ROOT / "Makefile", *ROOT.glob("*/*Dockerfile"), *ROOT.glob(".github/workflows/*.yml")]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_file = pytest.mark.parametrize("path", REQUIREMENTS, ids=_name)


def _pins(path: Path) -> dict[str, set[str]]:
    """The versions of each package in a requirements file or a lock."""
    pins: dict[str, set[str]] = {}
    for requirement in _requirements(path):
        assert re.fullmatch(r"==[^=*,]+", str(requirement.specifier)), f"{requirement} is not pinned"
        pins.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return pins


@functools.cache
def _requirements(path: Path) -> list[Requirement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line.partition(" #")[0].rstrip(" \\")) for line in lines if line[:1].isalnum()]


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")


@each_file
def test_a_lock_is_as_new_as_its_requirements_file(path):
    lock = _lock(path)
    assert lock.exists(), "run: make lock"
    # The lock marks a direct dependency with "via -r FILE", alone or in a list.
    direct: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\w)", lock.read_text(encoding="utf-8")):
        if re.search(rf"^    #.* -r {re.escape(_name(path))}$", entry, re.MULTILINE):
            name, version = re.match(r"(\S+)==(\S+)", entry).groups()
            direct.setdefault(name, set()).add(f"=={version}")
    assert direct == _pins(path), "run: make lock"


@each_file
def test_a_lock_has_a_hash_for_each_package_and_no_address(path):
    text = _lock(path).read_text(encoding="utf-8")
    packages = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    hashed = re.findall(r"^\S+==\S+.* \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert packages
    assert len(hashed) == len(packages)
    assert "://" not in text


@each_file
def test_a_lock_has_one_version_of_each_package_for_each_python_and_processor(path):
    for python, machine in itertools.product(PYTHONS, MACHINES):
        environment = {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "platform_machine": machine,
            "sys_platform": "linux",
        }
        named = [
            canonicalize_name(requirement.name)
            for requirement in _requirements(_lock(path))
            if requirement.marker is None or requirement.marker.evaluate(environment)
        ]
        assert len(named) == len(set(named))
        assert set(_pins(path)) <= set(named)


def test_every_lock_belongs_to_a_requirements_file():
    assert {*ROOT.glob("*/requirements*.lock")} == {_lock(path) for path in REQUIREMENTS}


def test_locks_that_share_an_environment_agree():
    together = [path for path in REQUIREMENTS if path != ALONE]
    for paths in (together, [ALONE, BESIDE_IT]):
        versions: dict[str, set[str]] = {}
        for path in paths:
            for requirement in _requirements(_lock(path)):
                key = f"{canonicalize_name(requirement.name)} {requirement.marker}"
                versions.setdefault(key, set()).add(str(requirement.specifier))
        assert {key: found for key, found in versions.items() if len(found) > 1} == {}


def test_only_torch_and_its_dependencies_have_no_hash():
    assert {name for path in TORCH for name in _pins(path)} == {"torch", "torchvision"}
    for path in REQUIREMENTS:
        locked = _pins(_lock(path))
        assert [
            name
            for name in locked
            if re.fullmatch(r"torch|torchvision|triton|(nvidia(?!-ml-py)|cuda)-.*|.*-cu1\d", name)
        ] == []


@pytest.mark.parametrize("path", COMMANDS, ids=_name)
def test_pip_installs_only_locked_wheels(path):
    text = re.sub(r"\s*\\\n\s*", " ", path.read_text(encoding="utf-8"))
    # Two commands of the Makefile begin with its variable PIP.
    [pip, *_] = [*re.findall(r"^PIP = (.+)", text, re.MULTILINE), ""]
    text = re.sub(r"^PIP = .+", "", text, flags=re.MULTILINE).replace("$(PIP)", pip)
    for command in re.findall(r"pip\b[^&\n]* install .*?(?=&&|$)", text, re.MULTILINE):
        assert "--only-binary :all:" in command
        hashed = "--no-deps --require-hashes" in command
        assert hashed is not ("-torch.txt" in command)
        assert hashed is not ("index-url" in command)
