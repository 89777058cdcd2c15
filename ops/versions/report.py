"""The report of a TorchServe replica, by which `make swap` and similar commands follow it."""

import json
from dataclasses import asdict, dataclass, field

from ops.versions.state import Versions

# A replica with an older report is away. Controllers report every 5 s.
AWAY_AFTER_S = 20.0


@dataclass(frozen=True)
class Report:
    """A report of a replica's controller, `age_s` seconds old.

    `served`: the state that TorchServe serves. `ready`: the versions with ready workers. `candidate`: the version under
    check. `latency`: after the check, the candidate's latency divided by the default's. `rejected`: reasons by version.
    """

    served: Versions | None = None
    ready: list[str] = field(default_factory=list)
    candidate: str | None = None
    latency: float | None = None
    rejected: dict[str, str] = field(default_factory=dict)
    replica: str = ""  # the name; one machine's only replica has none
    age_s: float = 0.0

    @property
    def is_away(self) -> bool:
        return self.age_s > AWAY_AFTER_S

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, text: str | bytes) -> "Report":
        """Parse `to_json`. Raises ValueError."""
        try:
            content = json.loads(text)
            served = content["served"]
            return cls(**content | {"served": served and Versions(**served)})
        except (TypeError, LookupError) as error:
            raise ValueError(f"not a report: {error}") from None
