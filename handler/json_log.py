"""Logs of a worker as JSON lines, in the format of the other parts (json_logs.py).

The archive imports no other part, so this module repeats a few lines.
"""

import json
import logging
from datetime import UTC, datetime

IDS = ("request_id", "drawing_id")


class JsonLines(logging.Formatter):
    """One line for each record of a worker that serves one model version."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%FT%T.%f")[:-3] + "Z",
            "level": record.levelname.lower(),
            "part": "handler",
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in IDS if hasattr(record, name)},
            "model_version": self._version,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
