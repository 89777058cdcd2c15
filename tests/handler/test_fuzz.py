"""Coverage-guided fuzzing for a minute; test_any_input.py has a few seconds of hypothesis."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.handler.drawings import drawing, encode

SECONDS = 60
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP")


@pytest.mark.slow
def test_any_bytes_are_answered_in_little_time_and_memory(tmp_path):
    pytest.importorskip(
        "atheris", reason="atheris has no wheel for this machine: tests/requirements-fuzz.txt"
    )
    small = drawing().resize((40, 40))
    for number, picture_format in enumerate(FORMATS):
        (tmp_path / picture_format).write_bytes(b"\0" + encode(small, picture_format))
        (tmp_path / f"pixels-{number}").write_bytes(
            bytes([2 * number + 1, 39]) + small.convert("RGB").tobytes()
        )
    limits = [f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=1500", "-max_len=6000"]
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.handler.fuzz_images",
            *limits,
            f"-artifact_prefix={tmp_path}/",
            tmp_path,
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    assert int(re.search(r"Done (\d+) runs", run.stderr)[1]) > len(FORMATS)
