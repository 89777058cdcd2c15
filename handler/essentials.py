"""An image file without what no pixel needs: the rest of it is where bombs hide.

    data = essentials(data)   # the same picture, bounded work for the decoder

A PNG's notes and profiles unfold a thousandfold (64 KB that took 20 s and more), and a progressive JPEG of 4 MB may
ask for 400,000 passes over 16 million pixels (hours). So a PNG or JPEG is written anew from the parts that
make the picture and say how it was held, and the decoder sees nothing else. What it sees then is what was checked here.
"""

import re
import zlib
from collections.abc import Iterator

from handler.errors import ClientError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PARTS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})
# A camera's note has at most 64 KiB where it comes from, in a JPEG.
LONGEST_NOTE = 65536
# A PNG of 5 MiB has 640 chunks as most programs write it, a JPEG a few dozen segments.
MAXIMUM_PARTS = 10_000
# A progressive JPEG has about ten. Each costs up to 16 ms for the largest picture (one AMD EPYC core).
MAXIMUM_SCANS = 40

# JFIF, a camera's note (the first only) and Adobe's note on the colours. The others are previews, profiles and remarks.
_JFIF, _EXIF, _ADOBE = 0xE0, 0xE1, 0xEE
_START_OF_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, 0xD8)
# In a scan 0xFF is followed by 0 or by a restart's number; everything else after it is the next marker.
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")


def essentials(data: bytes) -> bytes:
    """The file with nothing but what its pixels need; what is neither PNG nor JPEG comes back as it is.

    Raises ClientError 400 for more parts or scans than any picture has, and for a PNG that is truncated or whose
    checksums do not fit. Other broken and truncated files come back broken: to say so is the decoder's part.
    """
    if data.startswith(PNG_SIGNATURE):
        return b"".join([PNG_SIGNATURE, *(part for _, part in png_chunks(data))])
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    return data


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk of a PNG that its pixels need, with length and checksum. Raises ClientError 400."""
    place = len(PNG_SIGNATURE)
    for _ in range(MAXIMUM_PARTS):
        kind = data[place + 4 : place + 8]
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 12 + length
        if end > len(data):
            # The decoder stops at the last pixel: it would read a PNG without its last 20 bytes.
            raise _truncated(len(data))
        if kind in PNG_PARTS and not (kind == b"eXIf" and length > LONGEST_NOTE):
            part = data[place:end]
            # The decoder does not look at these, and a flipped bit can turn a 7 into a sure 1.
            if zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:], "big"):
                raise _damaged(kind.decode("ascii"), place)
            yield kind, part
        if kind == b"IEND":
            return
        place = end
    raise _too_many("PNG", "chunks", MAXIMUM_PARTS)


def _truncated(length: int) -> ClientError:
    return ClientError(
        400,
        "BrokenImage",
        f"The PNG image is truncated: it ends after {length:,} bytes, before its last chunk (IEND) is complete. "
        "Accepted: complete, undamaged files.",
    )


def _damaged(kind: str, place: int) -> ClientError:
    return ClientError(
        400,
        "BrokenImage",
        f"The PNG image is damaged: wrong checksum of its {kind} chunk at byte {place:,}. Accepted: complete, "
        "undamaged files.",
    )


def _jpeg(data: bytes) -> bytes:
    parts = [data[:2]]
    place, scans, seen = 2, 0, set[int]()
    for _ in range(MAXIMUM_PARTS):
        found = _JPEG_MARKER.search(data, place)
        if scans:  # up to here went the pixels of the scan before
            parts.append(data[place : found.start() if found else len(data)])
        if found is None:
            return b"".join(parts)
        marker = found[1][0]
        if marker == _END:
            return b"".join([*parts, b"\xff\xd9"])
        if marker in _WITHOUT_LENGTH:
            place = found.end()
            continue
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        if length < 2:
            # What comes next would mean one thing here and another to the decoder: it ends here for both.
            return b"".join(parts)
        place = found.end() + length
        segment = data[found.end() : place]
        if _is_kept(marker, segment) and marker not in seen:
            parts.append(bytes([0xFF, marker]) + segment)
            seen |= {marker} & {_JFIF, _EXIF, _ADOBE}
        if marker == _START_OF_SCAN:
            scans += 1
            if scans > MAXIMUM_SCANS:
                raise _too_many("JPEG", "scans", MAXIMUM_SCANS)
    raise _too_many("JPEG", "segments", MAXIMUM_PARTS)


def _is_kept(marker: int, segment: bytes) -> bool:
    if 0xE0 <= marker <= 0xEF:
        return marker in (_JFIF, _ADOBE) or (marker == _EXIF and segment[2:8] == b"Exif\0\0")
    return marker != 0xFE  # a comment


def _too_many(kind: str, what: str, maximum: int) -> ClientError:
    return ClientError(
        400,
        "CostlyImage",
        f"The {kind} image has more than {maximum:,} {what}. Accepted: at most {maximum:,}. "
        "Save the image again with an image editor.",
    )
