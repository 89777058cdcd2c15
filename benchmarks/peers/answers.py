"""Answers to posted images, like those of the handler in TorchServe. All peers share this code."""

import json
from collections.abc import Sequence

import torch

from handler.bodies import read_body
from handler.images import read_images
from handler.predictor import Predictor
from ops.versions.state import RELEASED
from training.archive.pack import RELEASED_CHECKPOINT


def load_predictor() -> Predictor:
    """The released model on one thread, like TorchServe's workers, after its first calls."""
    torch.set_num_threads(1)
    return Predictor.load(RELEASED_CHECKPOINT, version=RELEASED)


def answer(predictor: Predictor, bodies: Sequence[bytes]) -> list[bytes]:
    """The JSON of each image, predicted in one batch."""
    images = [
        image for body in bodies for image in read_images(read_body({"body": body}, "image/png").payloads)
    ]
    return [
        json.dumps(prediction.as_dict(), separators=(",", ":")).encode("ascii")
        for prediction in predictor.predict(images)
    ]
