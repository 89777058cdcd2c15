"""What a person can set or ask for is documented: README and .env.example hold it, by test."""

import re
import subprocess
from pathlib import Path

import pytest

import settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DESCRIBED = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
PHONY = {name for line in re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE) for name in line.split()}
# Steps of other targets, and two lists of targets.
INTERNAL = {"environments", "test-environments", "from-s3", "test-others", "$(SYSTEM)", "$(PARTS)"}


def test_every_target_has_a_description():
    assert set(DESCRIBED) >= PHONY - INTERNAL


@pytest.fixture(scope="module")
def help_() -> str:
    return subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", DESCRIBED)
def test_a_make_target_is_in_the_readme_and_in_make_help(help_, target):
    assert f"`make {target}" in README or f"make {target}\n" in README
    assert re.search(rf"^  {target} +\S", help_, re.MULTILINE)


@pytest.mark.parametrize("setting", settings.ALL, ids=lambda setting: setting.name)
def test_a_setting_is_in_the_readme_and_in_the_example_with_its_default(setting):
    assert f"`{setting.name}`" in README
    default = "" if setting.default is None else str(setting.default)
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert f"{setting.name}={default}" in example


def test_the_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
