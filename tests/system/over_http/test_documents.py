"""The commands in README and manuals run unchanged, except for the address."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.documents import DOCUMENTS, SLOW, Block, blocks
from tests.system.running import ROOT, RunningSystem, start_system

BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
# Not copied: state of this machine, large files and caches, at the top of the checkout.
NOT_COPIED = {".git", ".venv", "var", "data", "runs", "backups"}
# curl fails for an error status, and bypasses the proxy that its environment names.
CURL = 'curl() { command curl --noproxy localhost,127.0.0.1 --fail-with-body --silent --show-error "$@"; }\n'


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, because commands write into it."""
    copy = tmp_path_factory.mktemp("copy") / "mnist"
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
        elif path.name not in NOT_COPIED:
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("*.mar", "__pycache__"))
    for name in (".venv", "data"):
        (copy / name).symlink_to(ROOT / name)
    return copy


def _run(block: Block, system: RunningSystem, checkout: Path) -> str:
    if shutil.which("curl") is None and "curl" in block.commands:
        pytest.skip("curl is not installed: apt-get install curl")
    commands = block.commands.replace("http://localhost:8000", system.address)
    environment = {name: value for name, value in system.environment.items() if "MAKE" not in name}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", CURL + commands],
        cwd=checkout, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if not block.comment], ids=lambda block: block.name
)
def test_a_block_of_commands_works(system: RunningSystem, checkout: Path, block: Block):
    if "make " in block.commands:
        assert system.system  # skips the test for a remote system
    output = _run(block, system, checkout)
    if block.commands.startswith("curl "):
        answer = json.loads(output)
        sevens = answer.get("predictions", [answer])
        assert all(seven["digit"] == 7 for seven in sevens) if "7.png" in block.commands else answer


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "document",
    sorted({block.document for block in BLOCKS if block.comment == SLOW}),
    ids=lambda document: str(document.relative_to(ROOT)),
)
def test_the_slow_blocks_of_a_document_work_in_their_order(tmp_path, checkout: Path, document: Path):
    if os.environ.get("SYSTEM_ADDRESS"):
        pytest.skip("these commands need a system of this checkout, and SYSTEM_ADDRESS belongs to another")
    with start_system(tmp_path / "var", tmp_path / "model_store") as system:
        for block in blocks(document):
            if block.comment == SLOW:
                _run(block, system, checkout)
