"""Who draws: a random id that the browser keeps as long as its session lasts, so that a reload finds the drawings.

Whoever knows the id sees the drawings. So nobody can guess it, and what is written anywhere is its hash.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping

COOKIE = "visitor"
BYTES = 32
_OURS = re.compile(r"[A-Za-z0-9_-]{43}")  # the bytes in URL-safe base64


def visitor(cookies: Mapping[str, str]) -> str:
    """The id that the browser sent, or a new one for it to keep: browser.js makes the cookie.

    An id of the right form is taken even if nobody drew under it: cookies are not told apart by port, so that two
    systems on one machine share theirs.
    """
    sent = cookies.get(COOKIE, "")
    return sent if _OURS.fullmatch(sent) else new_visitor()


def new_visitor() -> str:
    """An id that nobody has."""
    return secrets.token_urlsafe(BYTES)


def visitor_hash(visitor: str) -> str:
    """The SHA-256 of an id, in hexadecimal. An id has 256 random bits: nobody finds it by trying."""
    return hashlib.sha256(visitor.encode()).hexdigest()
