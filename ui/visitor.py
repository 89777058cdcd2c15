"""Visitors: a random id in a session cookie identifies a visitor's drawings, also after a reload.

The id gives access to the drawings, so it cannot be guessed, and only its hash is stored.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping

COOKIE = "visitor"
BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{43}")  # URL-safe base64


def read_visitor(cookies: Mapping[str, str]) -> str:
    """The id in the browser's cookie, or a new one, which browser.js stores.

    An unknown id of the right form is accepted: cookies do not depend on the port, so two systems on one machine share
    them.
    """
    sent = cookies.get(COOKIE, "")
    return sent if _ID.fullmatch(sent) else new_visitor()


def new_visitor() -> str:
    """A new random id."""
    return secrets.token_urlsafe(BYTES)


def hash_visitor(visitor: str) -> str:
    """The SHA-256 of an id in hexadecimal. An id has 256 random bits, so its hash needs no salt."""
    return hashlib.sha256(visitor.encode()).hexdigest()
