"""The time from a 12-megapixel JPEG to the network's input, beside Pillow's decoding of the same file at half its size.

DRAWN_DATA=FOLDER .venv/train/bin/python -m benchmarks.photos
"""

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from handler.images import read_image
from handler.preprocessing import candidates
from training.photos import KINDS
from training.photos.measure import digits_by_people

ROUNDS = 5
SIDES = 4032, 3024  # of a phone's photo
# A camera's noise and quality, which give files of 2 to 3 MB.
NOISE, QUALITY = 4.0, 93


def photo(kind: str, rng: np.random.Generator) -> bytes:
    """A picture of this kind at the size of a phone's photo, as JPEG."""
    people = digits_by_people(report=False)
    if people is None:
        raise SystemExit("No real drawings: run make data, or set DRAWN_DATA to their folder")
    strokes, _digit = people[int(rng.integers(len(people)))]
    picture = KINDS[kind].make(strokes, rng).convert("RGB")
    size = SIDES if picture.width >= picture.height else SIDES[::-1]
    pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC)) + rng.normal(
        0, NOISE, (*size[::-1], 1)
    )
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def decode_half(data: bytes) -> None:
    image = Image.open(io.BytesIO(data))
    image.draft(None, (image.width // 2, image.height // 2))
    image.load()


def find_digit(data: bytes) -> None:
    candidates(read_image(data))


def _cpu_ms(call: Callable[[bytes], None], data: bytes) -> float:
    started = time.process_time()
    call(data)
    return 1000 * (time.process_time() - started)


def main() -> None:
    rng, ratios = np.random.default_rng(3), []
    print("kind | Pillow, CPU ms | decode and find the ink, CPU ms | ratio")
    for kind in KINDS:
        data = photo(kind, rng)
        pairs = [(_cpu_ms(decode_half, data), _cpu_ms(find_digit, data)) for _ in range(ROUNDS)]
        pillow, ours = map(statistics.median, zip(*pairs, strict=True))
        ratios.append(ours / pillow)
        print(f"{kind} | {pillow:.0f} | {ours:.0f} | {ratios[-1]:.2f}", flush=True)
    above = sum(ratio > 2 for ratio in ratios)
    print(
        f"median ratio {statistics.median(ratios):.2f}, largest {max(ratios):.2f}; {above} of {len(ratios)} above 2"
    )


if __name__ == "__main__":
    main()
