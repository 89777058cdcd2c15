"""A pytest plugin: ONNX Runtime's logits, each moved by up to 1e-4, as other processors and builds round otherwise.

    python -m pytest -p tests.perturbed_logits tests/handler

ONNX Runtime ignores the variables that disable a processor's instructions in torch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handler import onnx_session

PERTURBATION = 1e-4


def pytest_configure() -> None:
    session = onnx_session._session
    rng = np.random.default_rng(0)

    def perturbed_session(*arguments: Any) -> onnx_session.Logits:
        logits = session(*arguments)

        def perturbed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            exact = logits(pixels)
            return exact + rng.uniform(-PERTURBATION, PERTURBATION, exact.shape).astype(np.float32)

        return perturbed

    onnx_session._session = perturbed_session
