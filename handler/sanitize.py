"""Strip metadata from an image file before it is decoded: some of it costs a decoder seconds or hours.

    data = sanitize(data)   # the same picture with bounded work for the decoder

Text chunks and profiles of a PNG expand a thousandfold (64 KB took 20 s and more). A progressive JPEG of 4 MB can ask
for 400,000 passes over 16 million pixels. So the decoder gets a new file with only the chunks or segments for pixels
and orientation, all of them checked.
"""

import re
import zlib

from handler.errors import ClientError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})
# A JPEG cannot hold longer EXIF data, so a PNG needs no more.
LONGEST_EXIF = 65536
# Chunks or segments. Most programs write a PNG of 5 MiB in 640 chunks, and a JPEG in a few dozen segments.
MAXIMUM_PARTS = 10_000
# A progressive JPEG has about ten. Each costs up to 16 ms for the largest picture (one AMD EPYC core).
MAXIMUM_SCANS = 40

# Only the first of each is kept. Other application segments hold previews, profiles and comments.
_JFIF, _EXIF, _ADOBE = 0xE0, 0xE1, 0xEE  # _ADOBE names the colour model
_START_OF_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_WITHOUT_LENGTH = (0x01, 0xD8)
# In a scan, 0xFF is followed by 0 or by the number of a restart. Any other byte after it makes a marker. 0xFF can be
# repeated before a marker, but `\xff+` would take 20 ms for 3 MB, because `re` then searches without memchr.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")


def sanitize(data: bytes) -> bytes:
    """The image file without its metadata; a file that is neither PNG nor JPEG is returned unchanged.

    Raises ClientError 400 for more parts or scans than a picture has, and for a PNG that is truncated or has a wrong
    checksum. Other broken files are returned broken, and the decoder reports them.
    """
    if data.startswith(PNG_SIGNATURE):
        return _sanitize_png(data)
    return _sanitize_jpeg(data) if data.startswith(b"\xff\xd8") else data


def _sanitize_png(data: bytes) -> bytes:
    parts, offset = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    for _ in range(MAXIMUM_PARTS):
        kind = data[offset + 4 : offset + 8]
        length = int.from_bytes(data[offset : offset + 4], "big")
        end = offset + 12 + length
        if end > len(data):
            # The decoder stops at the last pixel, so it would accept a PNG without its last 20 bytes.
            problem = f"it ends after {len(data):,} bytes, before its last chunk (IEND) is complete"
            raise _broken_png(f"truncated: {problem}")
        if kind in PNG_CHUNKS and not (kind == b"eXIf" and length > LONGEST_EXIF):
            part = data[offset:end]
            # The decoder does not check this, and one flipped bit can turn a 7 into a certain 1.
            if zlib.crc32(part[4:-4]) != int.from_bytes(part[-4:], "big"):
                raise _broken_png(f"damaged: wrong checksum of its {kind.decode()} chunk at byte {offset:,}")
            parts.append(part)
        if kind == b"IEND":
            return b"".join(parts)
        offset = end
    raise _too_many(MAXIMUM_PARTS, "PNG", "chunks")


def _broken_png(how: str) -> ClientError:
    return ClientError(400, "BrokenImage", f"The PNG image is {how}", "complete, undamaged files")


def _sanitize_jpeg(data: bytes) -> bytes:
    parts = [data[:2]]
    offset, scans, seen = 2, 0, set[int]()
    for _ in range(MAXIMUM_PARTS):
        found = _JPEG_MARKER.search(data, offset)
        if scans:  # the bytes before a marker are the pixels of the scan before it
            parts.append(data[offset : found.start() if found else len(data)])
        if found is None:
            return b"".join(parts)
        marker = found[1][0]
        if marker == _END:
            return b"".join([*parts, b"\xff\xd9"])
        if marker in _WITHOUT_LENGTH:
            offset = found.end()
            continue
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        if length < 2:
            # The decoder could read the rest differently. So the file ends here for both.
            return b"".join(parts)
        offset = found.end() + length
        segment = data[found.end() : offset]
        if _is_needed(marker, segment) and marker not in seen:
            parts.append(bytes([0xFF, marker]) + segment)
            seen |= {marker} & {_JFIF, _EXIF, _ADOBE}
        if marker == _START_OF_SCAN:
            scans += 1
            if scans > MAXIMUM_SCANS:
                raise _too_many(MAXIMUM_SCANS, "JPEG", "scans")
    raise _too_many(MAXIMUM_PARTS, "JPEG", "segments")


def _is_needed(marker: int, segment: bytes) -> bool:
    if 0xE0 <= marker <= 0xEF:
        return marker in (_JFIF, _ADOBE) or (marker == _EXIF and segment[2:8] == b"Exif\0\0")
    return marker != _COMMENT


def _too_many(maximum: int, kind: str, parts: str) -> ClientError:
    accepted = f"at most {maximum:,}. Save the image again with an image editor"
    return ClientError(400, "CostlyImage", f"The {kind} image has more than {maximum:,} {parts}", accepted)
