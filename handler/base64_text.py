"""Base64 as clients write it: of either alphabet, wrapped or not, alone or as a data URI.

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
    """The bytes of base64 or of a data URI; white space and line ends in it are left out.

    Only URL-safe base64 (RFC 4648, section 5) may lack its padding. Raises ClientError 400.
    """
    encoded = text
    if text[:5].lower() == "data:":
        header, comma, encoded = text.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise _invalid(
                f"The data URI begins with {quote_beginning(text)}", "data:image/png;base64,<base64>"
            )
    try:
        letters = "".join(encoded.split()).encode("ascii")
        standard, url_safe = b"+" in letters or b"/" in letters, b"-" in letters or b"_" in letters
        if not standard and not letters.endswith(b"="):
            letters += b"=" * (-len(letters) % 4)
        data = base64.b64decode(letters.translate(FROM_URL_SAFE), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _invalid(
            f"The string of {len(text):,} characters that begins with {quote_beginning(text)} is not base64",
            "base64 (A-Z, a-z, 0-9, + and /, padded with =; or URL-safe, with - and _), alone or as a data URI",
        ) from None
    if standard and url_safe:
        raise _invalid(
            f"The string that begins with {quote_beginning(text)} mixes the two alphabets of base64",
            "+ and /, or - and _",
        )
    return data


def begins_as_image(body: bytes) -> bool:
    """Whether a body is a data URI, or base64 whose first bytes are those of an accepted image."""
    beginning = body.lstrip()[:FIRST_CHARACTERS].decode("latin-1")
    if beginning[:5].lower() == "data:":
        return True
    try:
        return looks_like_image(decode_base64(beginning))
    except ClientError:
        return False


def _invalid(what: str, accepted: str) -> ClientError:
    return ClientError(400, "InvalidBase64", f"{what}. Accepted: {accepted}.")
