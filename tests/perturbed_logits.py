"""A pytest plugin: ONNX Runtime's logits, each moved by up to 1e-4, as other processors and builds round otherwise.

    python -m pytest -p tests.perturbed_logits tests/handler

ONNX Runtime ignores the variables that disable a processor's instructions in torch.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handler import compiled

PERTURBATION = 1e-4


def pytest_configure() -> None:
    session = compiled._session
    rng = np.random.default_rng(0)

    def perturbed_session(path: Path) -> compiled.Logits:
        logits = session(path)

        def perturbed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            exact = logits(pixels)
            return exact + rng.uniform(-PERTURBATION, PERTURBATION, exact.shape).astype(np.float32)

        return perturbed

    compiled._session = perturbed_session
