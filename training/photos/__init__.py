"""Pictures of digits as people take them: photos, scans, screenshots, saved arrays. Each kind is a function.

make("ruled_paper", strokes, np.random.default_rng(0))   # an image with one digit
"""

from PIL import Image

from training.photos import forms, no_digit, paper, screens, surfaces
from training.photos.scene import KINDS, Kind, Rng, Strokes

__all__ = ["KINDS", "Kind", "forms", "make", "no_digit", "paper", "screens", "surfaces"]


def make(name: str, strokes: Strokes, rng: Rng) -> Image.Image:
    """A picture of a kind with the digit of the strokes, the same for the same state of `rng`."""
    return KINDS[name].make(strokes, rng)
