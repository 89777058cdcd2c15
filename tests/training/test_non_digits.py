"""The measurement of digits against letters and signs prints a row for each kind."""

import numpy as np
import pytest

from training.photos import non_digits
from training.strokes.generate import NO_DIGIT

LINE = [np.array([[50.0, 0.0], [50.0, 100.0]])]
RING = [100 * np.stack([np.cos(np.arange(0, 7, 0.1)), np.sin(np.arange(0, 7, 0.1))], axis=1)]


def test_rings_are_separated_from_crosses_in_each_kind(monkeypatch, capsys):
    drawings = [(RING, 0), ([*LINE, LINE[0][:, ::-1]], NO_DIGIT)]
    monkeypatch.setattr(non_digits, "held_out_drawings", lambda: drawings)
    assert non_digits.main(["--count", "3", "--kinds", "clean_canvas", "blank_sheet", "form_box"]) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[1:]] == [
        "clean_canvas",
        "form_box",
        "mean of 2 kinds",
        "all pictures together",
    ]
    assert all(float(line[1].rstrip("%")) > 90 for line in lines[1:])


def test_without_the_drawings_the_error_names_the_remedy(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("DRAWN_DATA", str(tmp_path))
    assert non_digits.main([]) == 1
    assert "DRAWN_DATA" in capsys.readouterr().err


def test_an_unknown_kind_stops_the_run():
    with pytest.raises(SystemExit):
        non_digits.main(["--kinds", "no_such_kind"])
