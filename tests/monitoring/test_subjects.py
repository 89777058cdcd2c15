"""Runs subjects_checks.py in the exporter's environment."""

import subprocess

import pytest

from tests.documents import ROOT

pytestmark = pytest.mark.service  # needs the exporter's environment


@pytest.mark.parametrize(
    "check",
    [
        "a_hanging_subject_is_reported_and_hides_no_other",
        "a_cached_subject_is_read_once_even_if_it_fails",
        "a_swap_moves_no_queue_time_to_the_other_version",
    ],
)
def test_a_check_succeeds(check):
    command = [ROOT / ".venv/monitoring/bin/python", "-m", "tests.monitoring.subjects_checks", check]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
