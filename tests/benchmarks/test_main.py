"""The error of `make bench` for an unknown name."""

from benchmarks.__main__ import main


def test_the_error_for_an_unknown_benchmark_lists_all(capsys):
    assert main(["predict", "speed"]) == 2
    assert capsys.readouterr().err == (
        "BENCH 'speed' is none of predict, network, page, memory, database, swaps, retrain, soak, monitoring: "
        "make bench BENCH=predict\n"
    )
