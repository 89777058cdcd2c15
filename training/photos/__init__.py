"""Pictures of digits as people take them: photos, scans, screenshots, saved arrays. Each kind is a function.

KINDS["ruled_paper"].make(strokes, np.random.default_rng(0))   # an image with one digit
"""

from training.photos import forms, no_digit, paper, screens, surfaces
from training.photos.scene import KINDS, Kind

__all__ = ["KINDS", "Kind", "forms", "no_digit", "paper", "screens", "surfaces"]
