"""Decode base64 as clients write it: in either alphabet, with or without line ends, alone or as a data URI.

decode_base64("data:image/png;base64,iVBORw0KGgo...")    # b"\\x89PNG\\r\\n\\x1a\\n..."
"""

import base64
import binascii

from handler.errors import ClientError, quote_beginning
from handler.images import looks_like_image

# Base64 of the twelve bytes that looks_like_image needs.
FIRST_CHARACTERS = 16
FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: str) -> bytes:
    """The bytes of base64 or of a data URI; white space is ignored.

    Only URL-safe base64 (RFC 4648, section 5) may lack its padding. Raises ClientError 400.
    """
    begins, encoded = f"begins with {quote_beginning(text)}", text
    if text[:5].lower() == "data:":
        header, comma, encoded = text.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise _invalid(f"The data URI {begins}", "data:image/png;base64,<base64>")
    try:
        letters = "".join(encoded.split()).encode("ascii")
        standard, url_safe = b"+" in letters or b"/" in letters, b"-" in letters or b"_" in letters
        if not standard and not letters.endswith(b"="):
            letters += b"=" * (-len(letters) % 4)
        data = base64.b64decode(letters.translate(FROM_URL_SAFE), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        problem = f"The string of {len(text):,} characters that {begins} is not base64"
        accepted = "base64 (A-Z, a-z, 0-9, + and /, padded with =; or URL-safe, with - and _), alone or as a data URI"
        raise _invalid(problem, accepted) from None
    if standard and url_safe:
        raise _invalid(f"The string that {begins} mixes the two alphabets of base64", "+ and /, or - and _")
    return data


def _invalid(problem: str, accepted: str) -> ClientError:
    return ClientError(400, "InvalidBase64", problem, accepted)


def begins_as_image(body: bytes) -> bool:
    """Whether a body is a data URI, or base64 that begins as an accepted image."""
    beginning = body.lstrip()[:FIRST_CHARACTERS].decode("latin-1")
    if beginning[:5].lower() == "data:":
        return True
    try:
        return looks_like_image(decode_base64(beginning))
    except ClientError:
        return False
