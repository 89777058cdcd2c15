"""Building blocks of pictures: strokes, paper, light, grain, and the file that a camera writes.

An unfinished picture is float32 (h, w, 3), 0 to 255. Sizes are (width, height) in pixels.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from training.strokes.figure import find_box

Real: TypeAlias = NDArray[np.float32]
# A digit's pen strokes, (n, 2) each, x right and y down, in any unit.
Strokes: TypeAlias = Sequence[NDArray[np.float64]]
Rng: TypeAlias = np.random.Generator
Size: TypeAlias = tuple[int, int]
Colour: TypeAlias = tuple[float, float, float]
Make: TypeAlias = Callable[[Strokes, Rng], Image.Image]
SUPERSAMPLE = 2
PORTRAIT, SMALL_PORTRAIT, LANDSCAPE = (675, 900), (600, 800), (900, 675)
PENS = [(25, 25, 35), (30, 45, 130), (150, 25, 30), (20, 20, 20), (40, 60, 150), (60, 60, 70)]


@dataclass(frozen=True)
class Kind:
    """A kind of picture. `digit`: it contains one; `may_refuse`: the answer "no digit" is correct, too."""

    make: Make
    digit: bool = True
    may_refuse: bool = False


KINDS: dict[str, Kind] = {}


def kind(*, digit: bool = True, may_refuse: bool = False) -> Callable[[Make], Make]:
    """Add a function to KINDS under its name."""

    def add(make: Make) -> Make:
        KINDS[make.__name__] = Kind(make, digit, may_refuse)
        return make

    return add


def add_kinds(makes: Mapping[str, Make], *, digit: bool = True) -> None:
    """Add functions to KINDS by name."""
    KINDS.update((name, Kind(make, digit)) for name, make in makes.items())


def mask(strokes: Strokes, size: Size, height: float, thickness: float, centre: tuple[float, float]) -> Real:
    """Share of ink, (h, w), 0 to 1, of a digit `height` pixels tall; `centre` is x and y as shares of the size."""
    w, h = size
    low, high = find_box(strokes)
    scale = (height - thickness) / max((high - low).max(), 1e-9)
    middle = (low + high) / 2
    s = SUPERSAMPLE if max(size) <= 1000 else 1
    layer = Image.new("L", (w * s, h * s))
    d = ImageDraw.Draw(layer)
    r = thickness * s / 2
    for stroke in strokes:
        path = ((stroke - middle) * scale + np.array(centre) * (w, h)) * s
        if len(path) > 1:
            d.line([tuple(p) for p in path], fill=255, width=max(1, round(2 * r)), joint="curve")
        for x, y in path:
            d.ellipse([x - r, y - r, x + r, y + r], fill=255)
    return as_alpha(layer.reduce(s) if s > 1 else layer)


def as_alpha(layer: Image.Image) -> Real:
    """The values of an "L" image as shares, 0 to 1."""
    return np.asarray(layer, np.float32) / 255


def centre_of(rng: Rng, spread: float = 0.2) -> tuple[float, float]:
    return 0.5 + rng.uniform(-spread, spread), 0.5 + rng.uniform(-spread, spread)


def sheet(size: Size, colour: Colour | float) -> Real:
    """An empty sheet of a colour or a grey."""
    return np.broadcast_to(np.asarray(colour, np.float32), (size[1], size[0], 3)).copy()


def smooth_noise(size: Size, rng: Rng, cells: int) -> Real:
    """Low-frequency noise, (h, w), about -1 to 1."""
    small = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
    return np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.float32)


def light(size: Size, rng: Rng, low: float = 0.6, high: float = 1.0) -> Real:
    """Smooth light from a random direction, (h, w, 1)."""
    w, h = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x / w - 0.5) * np.cos(angle) + (y / h - 0.5) * np.sin(angle)
    ramp = (ramp - ramp.min()) / np.ptp(ramp)
    field = low + (high - low) * ramp + 0.03 * smooth_noise(size, rng, 4)
    return field[..., None]


def lay(picture: Real, alpha: Real, colour: Colour | Real) -> Real:
    """The picture with a colour on top; `alpha` is (h, w), 0 to 1."""
    return picture * (1 - alpha[..., None]) + np.asarray(colour, np.float32) * alpha[..., None]


def image(picture: Real) -> Image.Image:
    return Image.fromarray(picture.clip(0, 255).round().astype(np.uint8))


def camera(picture: Real | Image.Image, rng: Rng, sigma: float = 4.0) -> Image.Image:
    """The JPEG file of a picture with sensor noise (standard deviation `sigma`), blur and compression."""
    values = np.asarray(picture)
    h, w = values.shape[:2]
    values = values + rng.normal(scale=sigma, size=(h, w, 1)).astype(np.float32)
    values = values + rng.normal(scale=sigma / 2, size=(h, w, 3)).astype(np.float32)
    blurred = image(values).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.1)))
    return save(blurred.convert("RGB"), "JPEG", quality=int(rng.integers(70, 93)))


def png(picture: Real | Image.Image, mode: str = "RGB") -> Image.Image:
    made = image(picture) if not isinstance(picture, Image.Image) else picture
    return save(made.convert(mode), "PNG")


def grey_png(values: NDArray[np.generic]) -> Image.Image:
    """The PNG file of grey values, (h, w), 0 to 255."""
    return png(Image.fromarray(values.astype(np.uint8)), "L")


def save(made: Image.Image, form: str, **options: int) -> Image.Image:
    file = io.BytesIO()
    made.save(file, form, **options)
    return Image.open(file)


def pen_colour(rng: Rng) -> Colour:
    return PENS[rng.integers(len(PENS))]


def digit_ink(
    strokes: Strokes,
    size: Size,
    rng: Rng,
    *,
    low: float = 0.15,
    high: float = 0.4,
    spread: float = 0.22,
    thin: float = 0.035,
    thick: float = 0.08,
) -> Real:
    """Share of ink, (h, w), of a digit with random place, height and thickness.

    The height is `low` to `high` of the picture's, the thickness `thin` to `thick` of the digit's height.
    """
    height = rng.uniform(low, high) * size[1]
    return mask(strokes, size, height, max(2.0, rng.uniform(thin, thick) * height), centre_of(rng, spread))


def sheet_with_digit(
    strokes: Strokes, size: Size, rng: Rng, paper: Colour | float = 235, **shape: float
) -> Real:
    """A sheet with a digit in a pen's colour; `shape` as in `digit_ink`."""
    empty = sheet(size, paper)
    ink = digit_ink(strokes, size, rng, **shape)
    return lay(empty, ink, pen_colour(rng))


def photo(
    strokes: Strokes,
    rng: Rng,
    *,
    paper: Colour | None = None,
    colour: Colour | None = None,
    behind: Callable[[Real, Size, Rng], Real] | None = None,
    **shape: float,
) -> Image.Image:
    """A photo of a digit on paper, in light from one side; `behind` prints on the paper, `shape` as in `digit_ink`."""
    size: Size = [PORTRAIT, SMALL_PORTRAIT, LANDSCAPE, (768, 1024)][rng.integers(4)]
    picture = sheet(size, paper if paper is not None else rng.uniform(215, 250))
    picture += 3 * smooth_noise(size, rng, 40)[..., None]
    if behind is not None:
        picture = behind(picture, size, rng)
    ink = digit_ink(strokes, size, rng, **shape) * rng.uniform(0.8, 1)
    picture = lay(picture, ink, colour if colour is not None else pen_colour(rng))
    return camera(picture * light(size, rng), rng, rng.uniform(2, 6))
