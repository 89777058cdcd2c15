"""A handler that does nothing, packed as a separate model: it measures the cost of TorchServe itself."""

import logging
from collections.abc import Sequence
from typing import Any

# As long as the real answer, so that its transport costs the same.
ANSWER = b'{"nothing":"' + b"0" * 1400 + b'"}'


class NoopHandler:
    """Returns the same bytes for every request of a batch."""

    def initialize(self, context: Any) -> None:
        """Set the log level of the model's handler."""
        logging.getLogger().setLevel(logging.WARNING)

    def handle(self, rows: Sequence[Any], context: Any) -> list[bytes]:
        for index in range(len(rows)):
            context.set_response_content_type(index, "application/json")
        return [ANSWER] * len(rows)
