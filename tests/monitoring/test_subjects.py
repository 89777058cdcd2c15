"""Runs subjects_checks.py in the exporter's environment."""

import subprocess

import pytest

from tests.documents import ROOT

pytestmark = pytest.mark.service  # it needs that environment


@pytest.mark.parametrize(
    "check",
    [
        "at_once_and_one_that_hangs_is_named",
        "a_costly_subject_seldom_even_when_it_fails",
        "a_swap_moves_no_time_of_the_queue_to_the_other_version",
    ],
)
def test_subjects_are_read(check):
    command = [ROOT / ".venv/monitoring/bin/python", "-m", "tests.monitoring.subjects_checks", check]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
