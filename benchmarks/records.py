"""Records as the page writes them for an answered drawing."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ui.record import Record

ANSWER: Mapping[str, Any] = {
    "prediction": 7,
    "confidence": 0.99,
    "probabilities": [0.1] * 10,
    "is_digit": True,
    "digit_score": 0.99,
    "model_version": "1.2",
}


def make_record(
    drawing: bytes,
    answer: Mapping[str, Any] = ANSWER,
    latency_ms: float = 5.0,
    drawing_id: uuid.UUID | None = None,
) -> Record:
    """An unlabelled record of a drawing (PNG), created now; `answer` is the model server's JSON."""
    return Record(
        id=drawing_id or uuid.uuid4(),
        created_at=datetime.now(UTC),
        latency_ms=latency_ms,
        true_label=None,
        labelled_at=None,
        drawing=drawing,
        revision=1,
        **{name: answer[name] for name in ANSWER},
    )
