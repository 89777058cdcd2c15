"""Whether a version really answers: the known digits sent to it, and to the one that it would replace.

check("http://127.0.0.1:8002", "1.1", beside="1.0")    # raises CheckError, with what is wrong
"""

import statistics
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests

from ops import direct
from ops.system import ROOT

KNOWN_DIGITS = ROOT / "training" / "known_digits"
REQUEST_TIMEOUT_S = 10.0
# The first round is not timed: every worker's first answers are slow.
ROUNDS = 6
MOST_TIMES_SLOWER = 2.0


class CheckError(Exception):
    """What a version does not do as it should, in one line."""


@dataclass(frozen=True)
class _Response:
    version: str
    answer: dict[str, Any]
    seconds: float


def check(inference: str, version: str, beside: str) -> float:
    """Ask a version for the ten known digits, again and again, and `beside` in turn with it.

    Gives back its median time, in times of the other's. Raises CheckError where it does not answer, answers wrongly or
    takes more than MOST_TIMES_SLOWER.
    """
    drawings = {digit: (KNOWN_DIGITS / f"{digit}.png").read_bytes() for digit in range(10)}
    seconds: dict[str, list[float]] = {version: [], beside: []}
    with direct.session() as session:
        for round_ in range(ROUNDS):
            for digit, drawing in drawings.items():
                own = _post(session, inference, "predictions", version, drawing)
                _refuse_wrong(own, digit)
                other = _post(session, inference, "predictions", beside, drawing)
                if round_:
                    seconds[version].append(own.seconds)
                    seconds[beside].append(other.seconds)
        explained = _post(session, inference, "explanations", version, drawings[7])
    if "heatmap" not in explained.answer:
        raise CheckError("its explanation of a 7 has no heatmap")
    slower = statistics.median(seconds[version]) / statistics.median(seconds[beside])
    if slower > MOST_TIMES_SLOWER:
        raise CheckError(
            f"it takes {slower:.1f} times as long as {beside}; at most {MOST_TIMES_SLOWER:g} times are accepted"
        )
    return slower


def _post(session: requests.Session, inference: str, what: str, version: str, drawing: bytes) -> _Response:
    started = time.perf_counter()
    try:
        response = session.post(
            f"{inference}/{what}/mnist/{version}",
            data=drawing,
            headers={"Content-Type": "application/octet-stream"},
            timeout=REQUEST_TIMEOUT_S,
        )
        answer = response.json()
    except requests.Timeout:
        raise CheckError(f"{version} did not answer within {REQUEST_TIMEOUT_S:.0f} s") from None
    except requests.RequestException as error:  # a body that is no JSON too
        raise CheckError(f"{version} did not answer: {type(error).__name__}") from None
    if response.status_code != HTTPStatus.OK or not isinstance(answer, dict):
        said = answer.get("message", "") if isinstance(answer, dict) else ""
        raise CheckError(f"{version} answered a known digit with status {response.status_code}: {said}")
    return _Response(version, answer, time.perf_counter() - started)


def _refuse_wrong(asked: _Response, digit: int) -> None:
    answer = asked.answer
    if answer.get("model_version") != asked.version:
        raise CheckError(f"it reports version {answer.get('model_version')!r}")
    if answer.get("digit") != digit or answer.get("is_digit") is not True:
        read = "no digit" if answer.get("is_digit") is False else f"a {answer.get('digit')!r}"
        raise CheckError(f"it reads a known {digit} as {read}")
