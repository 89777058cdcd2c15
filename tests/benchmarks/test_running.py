"""What a benchmark starts to measure is its own, and gone afterwards."""

from benchmarks import running
from ops import postgres


def test_a_database_runs_alone_and_leaves_nothing_behind():
    with running.database() as system:
        assert postgres.answers(system)
    assert not postgres.answers(system)
    assert not system.state.exists()
    assert not system.sockets.exists()
