"""A request as bytes on the wire, and the statuses that may answer it.

    case("a brace too many", post(b"{{", "application/json"), 400)

CLOSED instead of a status: the connection may be closed without an answer, because the bytes are not HTTP.
"""

from dataclasses import dataclass

CLOSED = 0
MODEL_PATHS = ("/predictions/mnist", "/predict", "/explanations/mnist")


@dataclass(frozen=True)
class Case:
    """A request as bytes. `page`: the server of the page answers it, so the answer need not be the API's JSON."""

    name: str
    request: bytes
    statuses: frozenset[int]
    page: bool = False


def case(name: str, request: bytes, *statuses: int, page: bool = False) -> Case:
    """A case with its name, its bytes and the accepted statuses."""
    return Case(name, request, frozenset(statuses), page)


def post(body: bytes, content_type: str | None = None, path: str = "/predict") -> bytes:
    """A request with correct framing."""
    kind = f"Content-Type: {content_type}\r\n" if content_type is not None else ""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body
