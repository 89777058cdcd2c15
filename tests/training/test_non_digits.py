"""The measurement of digits against letters and signs prints a row for each kind."""

import numpy as np
import pytest

from training.photos import non_digits

LINE = [np.array([[50.0, 0.0], [50.0, 100.0]])]
RING = [100 * np.stack([np.cos(np.arange(0, 7, 0.1)), np.sin(np.arange(0, 7, 0.1))], axis=1)]


def test_rings_against_lines(monkeypatch, capsys):
    monkeypatch.setattr(non_digits, "digits_by_people", lambda *, report: [(RING, 0)])
    monkeypatch.setattr(non_digits, "others_by_people", lambda: [([*LINE, LINE[0][:, ::-1]], 10)])
    assert non_digits.main(["--count", "3", "--kinds", "clean_canvas", "blank_sheet", "form_box"]) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[1:]] == [
        "clean_canvas",
        "form_box",
        "mean of 2 kinds",
        "all pictures together",
    ]
    assert all(float(line[1].rstrip("%")) > 90 for line in lines[1:])


def test_without_the_drawings_it_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(non_digits, "digits_by_people", lambda *, report: None)
    assert non_digits.main([]) == 1
    assert "DRAWN_DATA" in capsys.readouterr().err


def test_an_unknown_kind_stops_the_run():
    with pytest.raises(SystemExit):
        non_digits.main(["--kinds", "no_such_kind"])
