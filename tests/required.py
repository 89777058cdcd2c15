"""Programs that a test needs and a machine may lack."""

import os

import pytest


def require(program: str | None, missing: str) -> str:
    """The program's path. Without the program the test is skipped with the reason `missing`; in CI it fails."""
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return program
