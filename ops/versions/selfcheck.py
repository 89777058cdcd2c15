"""Check a version with the ten known digits: answers, explanation and latency beside the default version.

check("http://127.0.0.1:8002", "1.1", beside="1.0")    # raises CheckError with the failed check
"""

import contextlib
import http.client
import json
import re
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ops.system import ROOT

KNOWN_DIGITS = ROOT / "training" / "known_digits"
REQUEST_TIMEOUT_S = 10.0
# Latency excludes the first round, because every worker's first answers are slow.
ROUNDS = 6
MAX_LATENCY_RATIO = 2.0
# Two workers, and the JVM's memory to unpack an archive.
NEEDED_MIB = 700


class CheckError(Exception):
    """A version failed a check; the message gives the reason in one line."""


def check(inference: str, version: str, beside: str) -> float:
    """Send the ten known digits ROUNDS times, alternating with version `beside`, and return the latency ratio.

    The ratio is that of the medians. Raises CheckError for a missing or wrong answer, or a ratio above
    MAX_LATENCY_RATIO.
    """
    drawings = {int(path.stem): path.read_bytes() for path in sorted(KNOWN_DIGITS.glob("*.png"))}
    seconds: dict[str, list[float]] = {version: [], beside: []}
    # Unlike urllib, http.client ignores proxies of the environment; unlike requests, it costs the controller nothing.
    api = http.client.HTTPConnection(urlsplit(inference).netloc, timeout=REQUEST_TIMEOUT_S)
    with contextlib.closing(api):
        for round_ in range(ROUNDS):
            for digit, drawing in drawings.items():
                for asked in (version, beside):
                    answer, needed = _post(api, "predictions", asked, drawing)
                    if asked == version:
                        _refuse_wrong(answer, version, digit)
                    if round_:
                        seconds[asked].append(needed)
        explained, _ = _post(api, "explanations", version, drawing)
    if "heatmap" not in explained:
        raise CheckError(f"its explanation of a {digit} has no heatmap")
    import statistics  # it imports decimal and random: 1 MB, which only a swap needs

    ratio = statistics.median(seconds[version]) / statistics.median(seconds[beside])
    if ratio > MAX_LATENCY_RATIO:
        accepted = f"at most {MAX_LATENCY_RATIO:g} times are accepted"
        raise CheckError(f"it takes {ratio:.1f} times as long as {beside}; {accepted}")
    return ratio


def refuse_little_memory() -> None:
    """Raise CheckError if this machine has too little free memory for another version."""
    [kibibytes] = re.findall(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    free = int(kibibytes) / 2**10
    if free < NEEDED_MIB:
        raise CheckError(f"it needs {NEEDED_MIB} MiB of memory, and {free:.0f} MiB are free")


def _post(
    api: http.client.HTTPConnection, what: str, version: str, drawing: bytes
) -> tuple[dict[str, Any], float]:
    """A version's answer and its seconds."""
    started = time.perf_counter()
    try:
        api.request("POST", f"/{what}/mnist/{version}", drawing, {"Content-Type": "application/octet-stream"})
        response = api.getresponse()
        answer = json.loads(response.read())
    except TimeoutError:
        raise CheckError(f"{version} did not answer within {REQUEST_TIMEOUT_S:.0f} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CheckError(f"{version} did not answer: {type(error).__name__}") from None
    if response.status != HTTPStatus.OK or not isinstance(answer, dict):
        message = answer.get("message", "") if isinstance(answer, dict) else ""
        raise CheckError(f"{version} answered a known digit with status {response.status}: {message}")
    return answer, time.perf_counter() - started


def _refuse_wrong(answer: dict[str, Any], version: str, digit: int) -> None:
    if answer.get("model_version") != version:
        raise CheckError(f"it reports version {answer.get('model_version')!r}")
    if answer.get("digit") != digit or answer.get("is_digit") is not True:
        read = "no digit" if answer.get("is_digit") is False else f"a {answer.get('digit')!r}"
        raise CheckError(f"it reads a known {digit} as {read}")
