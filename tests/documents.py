"""The documents for users, and the blocks of commands in them.

A block of commands is a fenced block of the language `sh`. `make test` runs it, unless the line before it has a
comment: with `<!-- slow -->` `make test-slow` runs it, with `<!-- not run: REASON -->` no test does. The configurations
of proxies are blocks of other languages, with the same comments.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALERTMANAGER = ROOT / "monitoring" / "alertmanager" / "alertmanager.yml"
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
BLOCK = r"(?:^<!-- (?P<comment>[^\n]*) -->\n)?^```{}\n(?P<commands>.*?)^```$"
SCRIPT = re.compile(r"^```js\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANY_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
SLOW, NOT_RUN = "slow", "not run: "


@dataclass(frozen=True)
class Block:
    """The commands of one block, or the lines of a configuration, and the comment before it."""

    document: Path
    number: int
    commands: str
    comment: str

    @property
    def name(self) -> str:
        """For example docs/api.md:3."""
        return f"{self.document.relative_to(ROOT)}:{self.number}"


def blocks(document: Path, language: str = "sh") -> list[Block]:
    """The blocks of a language in a document, in order."""
    found = re.finditer(
        BLOCK.format(language), document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [
        Block(document, number, match["commands"], match["comment"] or "")
        for number, match in enumerate(found, 1)
    ]


def scripts(document: Path) -> list[str]:
    """The JavaScript blocks of a document, in order."""
    return SCRIPT.findall(document.read_text(encoding="utf-8"))


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return ANY_BLOCK.sub("", document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def alertmanager_with_receivers() -> str:
    """Alertmanager's configuration with its example addresses."""
    return re.sub(r"#([a-z])", r"\1", ALERTMANAGER.read_text(encoding="utf-8"))
