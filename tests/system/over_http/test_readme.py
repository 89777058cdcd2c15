"""The README's examples of the API, run as they stand there but for the address."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.running import ROOT, RunningSystem

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("curl ")
]


def test_the_readme_has_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_answered(system: RunningSystem, example):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = example.replace("http://localhost:8000", system.address)
    assert command != example
    done = subprocess.run(
        ["bash", "-c", command + " --fail-with-body --silent --show-error"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    if "7.png" in example:
        assert answer["digit"] == 7


def test_the_readme_shows_the_page():
    [picture] = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert Path(ROOT / picture).stat().st_size > 10_000
