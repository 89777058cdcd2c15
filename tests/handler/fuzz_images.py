"""Coverage-guided fuzzing of decoding and preprocessing: bytes as a file, or as the pixels of an image.

python -m tests.handler.fuzz_images CORPUS -max_total_time=60     (options of libFuzzer)

The status is not 0 after an exception other than ClientError, and after an input that takes too long.
"""

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["handler"]):
    from handler.errors import ClientError
    from handler.images import read_image
    from handler.preprocessing import candidates

from PIL import Image

MODES = ("L", "RGB", "LA", "RGBA", "P", "1")


def read(data: bytes) -> None:
    """Find the ink of a file if the first byte is even, otherwise of an image with these bytes as pixels."""
    if not data:
        return
    kind, content = data[0], data[1:]
    with contextlib.suppress(ClientError):
        if kind % 2 == 0:
            candidates(read_image(content))
        elif content:
            mode = MODES[kind // 2 % len(MODES)]
            width = max(1, min(len(content), 1 + content[0]))
            row = (width + 7) // 8 if mode == "1" else width * len(Image.new(mode, (1, 1)).getbands())
            height = len(content) // row
            if height:
                small = Image.frombytes(mode, (width, height), content[: row * height])
                candidates(
                    small.resize((width * 8, height * 8), Image.Resampling.NEAREST) if kind > 127 else small
                )


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
