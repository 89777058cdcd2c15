"""Logs as JSON lines. `make logs` formats them for people.

    log_as_json("page")
    log.info("answered", extra={"request_id": "6f1f6c1e", "drawing_id": "0d5f0f6f-..."})

The same fields in the same order come from nginx (gateway/nginx.conf.template), TorchServe (ops/torchserve-log4j2.xml)
and its workers (handler/json_log.py, because the archive contains no other part).
"""

import json
import logging
import sys
from datetime import UTC, datetime

IDS = ("request_id", "drawing_id")


class JsonLines(logging.Formatter):
    """Formats each log record of a part as one line."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%FT%T.%f")[:-3] + "Z",
            "level": record.levelname.lower(),
            "part": self._part,
            "message": record.getMessage(),
            **{name: str(getattr(record, name)) for name in IDS if hasattr(record, name)},
            "logger": record.name,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_as_json(part: str) -> None:
    """Write all logs, warnings and uncaught exceptions of this process to standard error as JSON lines."""
    output = logging.StreamHandler()
    output.setFormatter(JsonLines(part))
    logging.basicConfig(level=logging.INFO, handlers=[output], force=True)
    logging.captureWarnings(True)
    sys.excepthook = lambda *error: logging.getLogger(part).critical("uncaught exception", exc_info=error)
