"""Print the released model's answers for digits drawn in several ways, as JSON. Runs in the serving environment."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import numpy as np
import torch
from PIL import Image

from handler.predictor import Predictor
from handler.preprocessing import preprocess
from training.archive import reference
from training.archive.pack import RELEASED_CHECKPOINT

DRAWINGS = 400
SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "drawn"


def _remove_pieces(canvas):
    """Remove every other 12 pixels of a diagonal, like a browser that loses points of a stroke."""
    places = np.indices(canvas.shape).sum(axis=0) // 12
    return np.where(places % 2, canvas, 0).astype(np.uint8)


def _other_writers():
    """Digits of held-out writers, or None if they are not available."""
    if not SHARED.exists():
        return None
    sys.path.insert(0, str(SHARED))
    import drawn

    return _prepare(drawn.pendigits(DRAWINGS, writers="reporting")[0])


def _prepare(canvases):
    return np.stack([preprocess(Image.fromarray(canvas)) for canvas in canvases])


def _canvases(seed, **how):
    return [np.asarray(canvas) for canvas in reference.canvases(DRAWINGS, seed, **how)]


def main():
    torch.set_num_threads(1)
    predictor = Predictor.load(RELEASED_CHECKPOINT, "released")
    usual = _canvases(1)
    ways = {
        "as before": _prepare(usual),
        "other writers": _other_writers(),
        "inverted picture": _prepare([255 - canvas for canvas in usual]),
        "thick brush": _prepare(_canvases(2, brush=40.0)),
        "thin brush": _prepare(_canvases(3, brush=5.0)),
        "rotated": _prepare([np.rot90(canvas).copy() for canvas in usual]),
        "inverted input": 255 - _prepare(usual),
        "ink in the paper's colour": _prepare([(200 + canvas * 0.01).astype(np.uint8) for canvas in usual]),
        "broken brush": _prepare([_remove_pieces(canvas) for canvas in usual]),
        "one digit only": _prepare(usual[7::10] * 10),
    }
    found = {
        way: None if images is None else reference.features(predictor, images) for way, images in ways.items()
    }
    print(json.dumps(found | {"reference": reference.reference(predictor)}))


if __name__ == "__main__":
    main()
