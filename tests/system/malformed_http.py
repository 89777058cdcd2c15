"""Malformed HTTP: methods, paths, framing, lines and headers; each with a unique name.

for case in malformed_http():
    case.name, case.request, case.statuses      # the bytes on the wire, and the accepted statuses
"""

import os
from collections.abc import Iterator

from tests.system.cases import CLOSED, MODEL_PATHS, Case, case, post
from tests.system.malformed_bodies import SEVEN


def malformed_http() -> list[Case]:
    """Requests that the gateway refuses, or that reach the model without an image."""
    return [*_methods(), *_paths(), *_framing(), *_lines_and_headers()]


def _methods() -> Iterator[Case]:
    for path in MODEL_PATHS:
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE"):
            request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            yield case(f"{method} {path}", request, 405)
    for path in ("/ping", "/openapi.json"):
        for method in ("POST", "PUT", "DELETE"):
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            yield case(f"{method} {path}", f"{head}Content-Length: 0\r\n\r\n".encode(), 405)
    for method in ("TRACE", "CONNECT"):
        yield case(
            f"{method} /",
            f"{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
            400,
            405,
        )
    for method in ("post", "Post", "P\0ST", "P(ST", "\xe9", "POST" * 3000):
        request = f"{method} /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode(
            "latin-1"
        )
        yield case(f"method {method[:8]!a}", request, 400, 405, 414)


def _paths() -> Iterator[Case]:
    for path in (
        "/models",
        "/models/mnist",
        "/models/mnist/1.0",
        "/metrics",
        "/api-description",
        "/predictions",
        "/predictions/",
        "/predictions/other",
        "/predictions/mnist/",
        "/predictions/mnist/1.0",
        "/predict/",
        "/explanations",
        "/explanations/mnist/1.0",
        "/ping/",
        "/workflows/a",
        "/invocations",
        "/v1/models/mnist:predict",
        "/v2/models",
        "/predictions/../models",
        "/predictions/%2e%2e/models",
        "/predictions//mnist",
        "/predictions/mnist%2f..%2f..%2fmodels",
        "/predictions/%2e%2e%2fmodels",
        "/predictions/mnist%20",
        "/_gateway/error",
        "/_gateway/known_digit",
        "/%6dodels",
        "/./models",
        "/predictions/mnist;/../../models",
        "/_stcore/metrics",
    ):
        yield case(f"POST {path}", post(SEVEN, path=path), 404)
    for target in (
        "/..",
        "/../../etc/passwd",
        "/%00",
        "/predict%00",
        "/a/../../b",
        "/%zz",
        "/%",
        "/predictions/mnist%0",
        "/%2e%2e/%2e%2e/etc/passwd",
        "predict",
        "",
        "\\predict",
        "http://",
        "//",
        "http:///predict",
        "*",
    ):
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        yield case(f"target {target!r}", request, 400, 404, page=target == "//")
    for path in (
        "//predict",
        "//predictions/mnist",
        "/PREDICT",
        "/Predictions/Mnist",
        "/predict\\",
        "/..;/models",
        "/etc/passwd",
        "/.git/config",
        "/nginx.conf",
        "/api.conf",
        "/%252e%252e/models",
        "/predict%2f",
        "/a\xff",
    ):
        request = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode(
            "latin-1"
        )
        yield case(f"POST {path!a}", request, 400, 403, 404, 405, page=True)
    yield case("a path of 9,000 bytes", post(SEVEN, path="/predict?" + "a" * 9000), 414)


def _framing() -> Iterator[Case]:
    """Ambiguous framing, for request smuggling."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    smuggled = b"GET /models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for name, rest in {
        "two lengths": b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "the same length twice": b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "a list of lengths": b"Content-Length: 3, 3\r\n\r\nabc",
        "length and chunks": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
        "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
        "a negative length": b"Content-Length: -1\r\n\r\n",
        "a length with a plus": b"Content-Length: +3\r\n\r\nabc",
        "a hexadecimal length": b"Content-Length: 0x3\r\n\r\nabc",
        "a length of words": b"Content-Length: three\r\n\r\n",
        "an empty length": b"Content-Length: \r\n\r\nabc",
        "a length beyond 64 bits": b"Content-Length: 99999999999999999999999\r\n\r\n",
        "a length with a space": b"Content-Length: 3 4\r\n\r\nabc",
        "a decimal length": b"Content-Length: 3.0\r\n\r\nabc",
        "gzip": b"Transfer-Encoding: gzip\r\n\r\n",
        "chunked, identity": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "xchunked": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked and identity": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "identity": b"Transfer-Encoding: identity\r\n\r\n",
        "a tab before chunked": b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
        "a quoted chunked": b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
        "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "a length with a space before its colon": b"Content-Length : 3\r\n\r\nabc",
        "an underscore": b"Content_Length: 3\r\n\r\nabc",
        "no chunk": b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
        "a negative chunk": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        "a chunk of 0x3": b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        "a chunk beyond 64 bits": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n",
        "a chunk of 100 GB": b"Transfer-Encoding: chunked\r\n\r\n174876e800\r\nabc\r\n",
        "an empty chunked body": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "no length, and a body": b"\r\nabc",
    }.items():
        yield case(f"framing: {name}", head + rest, 400, 413)


def _lines_and_headers() -> Iterator[Case]:
    for name, request in {
        "nonsense": b"nonsense\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        "HTTP/0.9": b"GET /ping\r\n",
        "HTTP/0.9 of the model": b"POST /predict\r\n",
        "zeros": bytes(100) + b"\r\n\r\n",
        "an SMTP client": b"EHLO x\r\n",
        "a Redis client": b"*1\r\n$4\r\nPING\r\n",
        "a proxy's line": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n\r\n",
    }.items():
        yield case(f"protocol: {name}", request, CLOSED, 400, 404, 405)
    for version in (
        "HTTP/9.9",
        "HTTP/2.0",
        "HTTP/1",
        "HTTP/1.1.1",
        "HTTP/-1.1",
        "http/1.1",
        "HTTPS/1.1",
        "HTTP/1.1 HTTP/1.1",
        "HTTP/01.1x",
        "FTP/1.0",
    ):
        yield case(f"version {version}", f"GET /ping {version}\r\nHost: localhost\r\n\r\n".encode(), 400)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
    many = b"".join(b"A%d: a\r\n" % index for index in range(10_000))
    for name, rest, statuses in (
        ("a header of 9,000 bytes", b"A: " + b"a" * 9000 + b"\r\n\r\n", (431,)),
        ("headers of 48 KiB", (b"A: " + b"a" * 8000 + b"\r\n") * 6 + b"\r\n", (431,)),
        ("10,000 headers", many + b"\r\n", (400, 431)),
        ("a zero in a header", b"A: \0\r\n\r\n", (400,)),
        ("a bare carriage return", b"A: a\rB: b\r\n\r\n", (400,)),
        ("a folded header", b"A: a\r\n b\r\n\r\n", (400,)),
        ("a header without a name", b": a\r\n\r\n", (400,)),
        ("a header without a colon", b"A\r\n\r\n", (400,)),
        ("two hosts", b"Host: y\r\n\r\n", (400,)),
    ):
        yield case(f"headers: {name}", head + rest, *statuses)
    # The nginx of a remote system may be 1.26, which accepts these two names. The native nginx does not.
    accepted = {"x:y:z", "["} if os.environ.get("SYSTEM_ADDRESS") else set()
    for host in ("", "a b", "a/b", "../", "x:y:z", "[", "a\0"):
        request = f"GET /ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        yield case(f"host {host!r}", request, *([200, 400] if host in accepted else [400]))
    yield case("no host", b"GET /ping HTTP/1.1\r\n\r\n", 400)
    behind = post(b"hello").replace(b"Connection: close\r\n", b"") + b"\0\1\2 trailing garbage\r\n\r\n"
    yield case("garbage behind a request", behind, 400)
