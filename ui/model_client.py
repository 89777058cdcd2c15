"""The model as the page knows it: TorchServe's REST predictions endpoint behind the gateway's inner listener."""

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID, uuid4

import requests

from ui.record import check_types
from ui.tracing import span

# While no worker is up TorchServe holds a request rather than refuse it. The gateway gives up after 10 s, for an
# explanation after 30 s; these are for a gateway that is stuck itself.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = {"predictions": 12.0, "explanations": 32.0}

FULL_INK = 255
INPUT_SIDE = 28
DIGITS = range(10)
OPTIONAL = ("reason", "box")

# Two lines on a phone, beside a button: the room that the page keeps for it.
AWAY = "Model server unavailable: your drawing is read when it is back."

log = logging.getLogger(__name__)


class ModelError(Exception):
    """The model gave no answer; the message is a sentence for the person who drew."""


class PictureRefused(ModelError):  # noqa: N818  it reads as what happened
    """The model does not read this picture: it is not asked again."""


@dataclass(frozen=True)
class Answer:
    """The fields of the REST answer, and how long it took, in milliseconds, as seen from here."""

    digit: int
    confidence: float
    probabilities: list[float]
    is_digit: bool
    digit_score: float
    model_version: str
    input: str
    latency_ms: float
    reason: str = ""  # of what is no digit
    box: list[float] | None = None  # of the digit: left, top, right and bottom, shares of the picture's sides

    @property
    def ink_share(self) -> float:
        """Mean of the input's pixels, 0 to 1: full ink is 255."""
        pixels = base64.b64decode(self.input)
        return sum(pixels) / (FULL_INK * len(pixels))

    def check(self) -> None:
        """Raise ValueError for a value that the page cannot show or the database refuses."""
        shares = [self.confidence, self.digit_score, *self.probabilities]
        if self.digit not in DIGITS or len(self.probabilities) != len(DIGITS) or not self.model_version:
            raise ValueError("a digit, its probability or the version is missing")
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a probability is not from 0 to 1")
        if len(base64.b64decode(self.input, validate=True)) != INPUT_SIDE**2:
            raise ValueError("the model's input is of another size")
        if self.box is not None and (len(self.box) != 4 or not all(0 <= side <= 1 for side in self.box)):
            raise ValueError("the digit's box is none")


@dataclass(frozen=True)
class Explanation:
    """What spoke for and against the digit, and rather for it than for the runner-up: 28 rows of 28, -1 to 1."""

    digit: int
    heatmap: list[list[float]]
    runner_up: int
    contrast: list[list[float]]

    def check(self) -> None:
        """Raise ValueError for a picture of another size than the model's input."""
        sizes = {len(self.heatmap), len(self.contrast), *map(len, self.heatmap + self.contrast)}
        if sizes != {INPUT_SIDE}:
            raise ValueError("a picture is of another size")


T = TypeVar("T", Answer, Explanation)


class ModelClient:
    """Asks the model at `url`, the gateway's inner listener. May be shared between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # The model is near: a proxy or password that the environment names for other places is not for it.
        self._session.trust_env = False

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def predict(self, drawing: bytes, drawing_id: UUID) -> Answer:
        """What the model reads in a picture. Raises ModelError, or PictureRefused where trying again is of no use."""
        started = time.perf_counter()
        content = self._ask("predictions", drawing, drawing_id)
        latency_ms = (time.perf_counter() - started) * 1000
        return _from(Answer, {**content, "latency_ms": latency_ms})

    def explain(self, drawing: bytes, drawing_id: UUID) -> Explanation:
        """Why the model reads it so. Raises ModelError."""
        return _from(Explanation, self._ask("explanations", drawing, drawing_id))

    def _ask(self, what: str, drawing: bytes, drawing_id: UUID) -> dict[str, Any]:
        ids = {"drawing_id": str(drawing_id), "request_id": uuid4().hex}
        with span("page", what, **ids) as trace:
            headers = {
                "Content-Type": "image/png",
                "X-Drawing-Id": ids["drawing_id"],
                "X-Request-Id": ids["request_id"],
            }
            return self._answered(what, drawing, headers | trace, ids)

    def _answered(
        self, what: str, drawing: bytes, headers: Mapping[str, str], ids: Mapping[str, str]
    ) -> dict[str, Any]:
        try:
            response = self._session.post(
                f"{self._url}/{what}/mnist",
                data=drawing,
                headers=headers,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S[what]),
            )
        except requests.RequestException as error:
            log.warning("%s failed: %s", what, type(error).__name__, extra=ids)
            raise ModelError(AWAY) from None
        level = logging.INFO if response.ok else logging.WARNING
        elapsed_ms = response.elapsed.total_seconds() * 1000
        log.log(level, "%s: status %d after %.0f ms", what, response.status_code, elapsed_ms, extra=ids)
        try:
            content = response.json()
        except (ValueError, RecursionError):
            content = None
        content = content if isinstance(content, dict) else {}
        if response.ok:
            return content
        if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and content:
            raise PictureRefused(
                f"The model cannot read this picture: {content.get('message', 'no reason given')}"
            )
        raise ModelError(AWAY)


def _from(kind: type[T], content: Mapping[str, Any]) -> T:
    """The answer in the content of a response. Raises PictureRefused: the next picture may do better."""
    try:
        names = [name for name in kind.__dataclass_fields__ if name in content or name not in OPTIONAL]
        answer = kind(**{name: content[name] for name in names})
        check_types(answer)
        answer.check()
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
        log.warning(
            "the model's answer cannot be read: %s; fields: %s", reason, sorted(content)
        )  # no drawing
        raise PictureRefused(
            f"The model's answer cannot be read ({reason}): page and model versions do not match."
        ) from None
    return answer
