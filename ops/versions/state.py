"""The desired state of the model versions, a JSON file:

{"default": "1.1", "previous": "1.0", "split": null, "candidate": null}
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ops.errors import OpsError, UsageError
from ops.files import write_whole

# The version whose checkpoint is in git; the first `make up` archives and serves it.
RELEASED = "2.0"
# nginx accepts shares in hundredths of a percent, but not 0 %.
SHARE_DIGITS = 4
LEAST_SHARE = 10**-SHARE_DIGITS
CHANGED = "Somebody else changed the versions meanwhile; nothing is changed. See: make models"
# Two to four numbers and an optional suffix: 1.0, 2.3.1, 1.1-rc2. As in training/archive/pack.py.
VERSION_FORM = re.compile(r"\d+(\.\d+){1,3}([-.][A-Za-z0-9]+)?")


@dataclass(frozen=True)
class Versions:
    """`default` answers; `previous` stays warm for a rollback; `split` gives versions shares of 0.0001 to 0.9999.

    `candidate` is the version under check by a running swap or canary. After the command it has no effect (store.py).
    """

    default: str
    previous: str | None = None
    split: dict[str, float] | None = None
    candidate: str | None = None

    @classmethod
    def read(cls, path: Path) -> "Versions":
        """Read the desired state from a file; without a file, the released version is the default. Raises OpsError."""
        try:
            return cls.parse_file(path.read_bytes(), path)
        except FileNotFoundError:
            return cls(default=RELEASED)
        except OSError as error:
            reason = f"{path} cannot be read: {error.strerror}"
            raise OpsError(f"{reason}. Without it {RELEASED} is served.") from None

    @classmethod
    def parse_file(cls, content: bytes, name: object) -> "Versions":
        """Parse the content of a versions file of this name. Raises OpsError."""
        try:
            return cls.parse(content)
        except ValueError as error:
            example = cls(default=RELEASED).to_json().strip()
            raise OpsError(
                f"{name} is not a valid versions file: {error}. Expected, for example: {example}. Without the file "
                f"{RELEASED} is served."
            ) from None

    @classmethod
    def parse(cls, text: str | bytes) -> "Versions":
        """Parse a versions file. Raises ValueError with the reason."""
        try:
            versions = cls(**json.loads(text))
            reason = versions._find_error()
        except (TypeError, AttributeError, OverflowError, RecursionError, ValueError):
            reason = "its format is wrong"
        if reason:
            raise ValueError(reason)
        return versions

    def _find_error(self) -> str:
        """The reason why the values are not valid; empty if they are."""
        others = [version for version in (self.previous, self.candidate) if version is not None]
        for version in (*self.served(), *others):
            if not VERSION_FORM.fullmatch(version):
                return f"'{version}' is not a version"
        shares = self.split or {}
        for version, share in shares.items():
            if version == self.default:
                return (
                    f"'split' names version {version}, which is the default: it receives the remaining share"
                )
            if not LEAST_SHARE <= round(share, SHARE_DIGITS) <= 1 - LEAST_SHARE:
                accepted = f"between {LEAST_SHARE} and {1 - LEAST_SHARE}"
                return f"'split' gives version {version} the share {share:g}, which is not {accepted}"
        if round(total := sum(shares.values()), SHARE_DIGITS) >= 1:
            return f"the shares of 'split' add up to {total:g}, which is not less than 1"
        return ""

    def write(self, path: Path) -> None:
        """Replace the file atomically."""
        write_whole(path, self.to_json())

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    def served(self) -> list[str]:
        """The versions that answer, the default first."""
        return list(dict.fromkeys([self.default, *(self.split or {})]))

    def named(self) -> list[str]:
        """The versions that need an archive: those that answer, the previous one and the candidate."""
        return list(dict.fromkeys([*self.served(), *filter(None, [self.previous, self.candidate])]))


def refuse_wrong_version(version: str, command: str) -> None:
    """Raises UsageError with the command as the example unless the value of VERSION= has the form of a version."""
    if not VERSION_FORM.fullmatch(version):
        wrong = f"VERSION '{version}' is not a version" if version else "VERSION is missing"
        raise UsageError(f"{wrong}, for example: make {command}")


def archive_name(version: str) -> str:
    """The file name of a version's archive in the model store."""
    return f"mnist-{version}.mar"


def list_archives(model_store: Path) -> dict[str, Path]:
    """The archives of a model store by version, in the order of their names."""
    return {path.stem.removeprefix("mnist-"): path for path in sorted(model_store.glob(archive_name("*")))}


def version_key(version: str) -> tuple[list[int], bool, str]:
    """The sort key of a version: 1.10 follows 1.9, and a release follows its candidates: 1.1-rc1, 1.1."""
    numbers = version.replace("-", ".").split(".")
    return [int(part) for part in numbers if part.isdigit()], "-" not in version, version
