"""README and manuals match the code: make targets, settings, links, and blocks of commands."""

import re
import subprocess
from pathlib import Path

import pytest

import settings
from tests.documents import DOCUMENTS, NOT_RUN, README, ROOT, SLOW, anchors, blocks, prose

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TEXT = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
DESCRIBED = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
LISTS = re.findall(r"^(?:\.PHONY:|CHANGES :=|COMMANDS :=) (.+)$", MAKEFILE, re.MULTILINE)
PHONY = {name for line in LISTS for name in line.split() if not name.startswith("$(")}
INTERNAL = {"environments", "test-environments", "from-s3", "test-others"}  # steps of other targets
MOST_WORDS = 1300
LONGEST_CELL = 120

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT))
)


def test_every_target_has_a_description():
    assert set(DESCRIBED) >= PHONY - INTERNAL


@pytest.fixture(scope="module")
def help_() -> str:
    return subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", DESCRIBED)
def test_a_make_target_is_in_a_document_and_in_make_help(help_, target):
    assert re.search(rf"\bmake {target}(?![\w-])", TEXT)
    assert re.search(rf"^  {target} +\S", help_, re.MULTILINE)


@each_document
def test_a_make_target_in_a_document_exists(document):
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in named if name not in DESCRIBED] == []


@pytest.mark.parametrize("setting", settings.ALL, ids=lambda setting: setting.name)
def test_a_setting_is_in_the_manual_and_in_the_example_with_its_default(setting):
    assert re.search(rf"^\| .*`{setting.name}`", OPERATIONS, re.MULTILINE)
    default = "" if setting.default is None else str(setting.default)
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert f"{setting.name}={default}" in example


@each_document
def test_links_and_anchors_exist(document: Path):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if "://" not in link and (
            not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
        ):
            broken.append(link)
    assert broken == []


@each_document
def test_every_block_of_commands_is_tested_or_has_a_reason(document):
    comments = {block.comment for block in blocks(document)}
    assert [
        comment
        for comment in comments
        if comment not in ("", SLOW) and not re.fullmatch(rf"{NOT_RUN}\w.+", comment)
    ] == []


@each_document
def test_a_table_has_short_cells(document):
    rows = [line for line in prose(document).splitlines() if line.startswith("|")]
    cells = [cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)]
    assert [cell for cell in cells if len(cell) > LONGEST_CELL] == []


def test_the_readme_has_at_most_1300_words():
    assert len(prose(README).split()) <= MOST_WORDS


def test_the_readme_shows_the_page():
    [picture] = re.findall(r"!\[[^]]+\]\(([^)]+)\)", prose(README))
    assert 10_000 < (ROOT / picture).stat().st_size < 1_000_000
