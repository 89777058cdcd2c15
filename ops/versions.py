"""Which model versions should be served: one small file, and the only thing to change to change them.

{"default": "1.0", "previous": null, "split": null}
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

# The version that git holds as a checkpoint; the first `make up` archives and serves it.
RELEASED = "1.0"


@dataclass(frozen=True)
class Versions:
    """`default` answers; `previous` is what a rollback returns to; `split` sends a share to a candidate."""

    default: str
    previous: str | None = None
    split: dict[str, float] | None = None

    @classmethod
    def read(cls, path: Path) -> "Versions":
        """The state that is asked for; the released version where nothing was asked for yet."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls(default=RELEASED)

    def write(self, path: Path) -> None:
        """Replace the file whole: a reader sees the old state or the new one."""
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def served(self) -> list[str]:
        """Every version that must answer, the default first."""
        return list(dict.fromkeys([self.default, *(self.split or {})]))


def archive_name(version: str) -> str:
    """The archive of a version, a file name in the model store."""
    return f"mnist-{version}.mar"
