"""The running API conforms to /openapi.json: Schemathesis generates requests from it."""

import os
import subprocess
import sys

from tests.system.running import ROOT, RunningSystem

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
EXAMPLES = 60
TIMEOUT_S = 280


def test_the_api_conforms_to_its_description(system: RunningSystem, tmp_path):
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{system.address}/openapi.json",
        "--checks", ",".join(CHECKS),
        "--phases", "examples,coverage,fuzzing",
        "--max-examples", str(EXAMPLES),
        # The same requests in every run.
        "--generation-deterministic",
        "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 selected / 4 total" in done.stdout, done.stdout  # all paths except /openapi.json
