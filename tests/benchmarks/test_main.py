"""What `make bench` says to a name that it does not know."""

from benchmarks.__main__ import main


def test_an_unknown_benchmark_gets_one_line_with_those_that_there_are(capsys):
    assert main(["predict", "speed"]) == 2
    assert capsys.readouterr().err == (
        "BENCH 'speed' is none of predict, network, page, memory, database, swaps, retrain, soak, monitoring: "
        "make bench BENCH=predict\n"
    )
