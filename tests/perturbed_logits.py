"""A pytest plugin that changes each of ONNX Runtime's logits by up to 1e-4, to simulate other processors and builds.

    python -m pytest -p tests.perturbed_logits tests/handler

The environment variables that disable processor instructions in torch have no effect on ONNX Runtime.
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
