"""A request as the bytes on the wire, and what may answer it.

    case("a brace too many", post(b"{{", "application/json"), 400)

A case with the status CLOSED may be answered by nothing but a closed connection: it is no HTTP at all.
"""

from dataclasses import dataclass

CLOSED = 0
MODEL_PATHS = ("/predictions/mnist", "/predict", "/explanations/mnist")


@dataclass(frozen=True)
class Case:
    """A request as bytes. `page`: its answer is the page's server's own, and need not be the API's JSON."""

    name: str
    request: bytes
    statuses: frozenset[int]
    page: bool = False


def case(name: str, request: bytes, *statuses: int, page: bool = False) -> Case:
    """A case by its name, its bytes and the statuses that may answer it."""
    return Case(name, request, frozenset(statuses), page)


def post(body: bytes, content_type: str | None = None, path: str = "/predict") -> bytes:
    """A request as a good client frames it."""
    kind = f"Content-Type: {content_type}\r\n" if content_type is not None else ""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body
