"""Pen stroke files are parsed to labelled drawings and split by writer."""

import zipfile

import numpy as np
import pytest

from training.data import pen_strokes
from training.data.pen_data import OMNIGLOT, PENDIGITS, UJI
from training.strokes.generate import NO_DIGIT

POINTS = ".PEN_DOWN\n 1  2\n 3  4\n.PEN_UP\n.DT 9\n.PEN_DOWN\n 5  6\n.PEN_UP\n"


@pytest.fixture
def folder(tmp_path):
    """Pendigits by writers 1 to 6, a 3 and a Z by each writer of UJI, and two signs by 20 people each."""
    pendigits = [
        f'.SEGMENT DIGIT {n} ? "{n}"\n.COMMENT {n} {n}  224\n{POINTS}.COMMENT 6 hours\n' for n in range(1, 7)
    ]
    (tmp_path / PENDIGITS.name).write_text('.LEXICON "0" "1"\n' + "\n".join(pendigits))
    for file in UJI:
        (tmp_path / file.name).parent.mkdir(exist_ok=True)
        segments = [f'.SEGMENT CHARACTER 0 ? "{name}"\n.COMMENT Class [{name}]\n\n{POINTS}' for name in "3Z"]
        (tmp_path / file.name).write_text("\n".join(segments))
    with zipfile.ZipFile(tmp_path / OMNIGLOT.name, "w") as archive:
        for alphabet in ("Greek", "Tagalog"):
            for writer in range(1, 21):
                name = f"strokes/{alphabet}/character01/0394_{writer:02}.txt"
                archive.writestr(name, "START\n1.5,-2.5,0\n3.0,-4.0,66\nBREAK\n5.0,-6.0,80\nBREAK\n")
                archive.writestr(f"__MACOSX/{name}", "nothing")
    return tmp_path


def test_strokes_have_y_down_and_labels_are_digits_or_no_digit(folder):
    found = pen_strokes.load_pen_strokes(folder)
    pendigit, three, letter, sign = found[0], found[5], found[6], found[-1]
    assert [drawing.label for drawing in (pendigit, three, letter, sign)] == [1, 3, NO_DIGIT, NO_DIGIT]
    assert [stroke.tolist() for stroke in pendigit.strokes] == [[[1, -2], [3, -4]], [[5, -6]]]
    assert [stroke.tolist() for stroke in three.strokes] == [[[1, 2], [3, 4]], [[5, 6]]]
    assert [stroke.tolist() for stroke in sign.strokes] == [[[1.5, 2.5], [3, 4]], [[5, 6]]]


def test_reporting_writers_are_excluded_and_held_out_writers_are_marked(folder):
    found = pen_strokes.load_pen_strokes(folder)
    of_pendigits, of_uji, of_omniglot = found[:5], found[5:27], found[27:]
    # The digit is the number of the writer.
    assert {drawing.label: drawing.held_out for drawing in of_pendigits} == {
        1: True,
        2: False,
        3: False,
        4: False,
        6: False,
    }
    assert np.flatnonzero([drawing.held_out for drawing in of_uji[::2]]).tolist() == [4, 9]
    assert [drawing.held_out for drawing in of_omniglot[:20]] == [False] * 16 + [True] * 4
    assert all(drawing.held_out for drawing in of_omniglot[20:])
    assert len(of_omniglot) == 40


def test_writer_numbers_are_unique(folder):
    found = pen_strokes.load_pen_strokes(folder)
    writers = [[drawing.writer for drawing in part] for part in (found[:5], found[5:27:2], found[27:47])]
    assert writers[0] == [1, 2, 3, 4, 6]
    assert len({number for part in writers for number in part}) == 5 + 11 + 20


def test_a_missing_file_raises(folder):
    (folder / UJI[3].name).unlink()
    with pytest.raises(FileNotFoundError, match="UJIpenchars-w04"):
        pen_strokes.load_pen_strokes(folder)


def test_the_reporting_digits_are_in_no_other_set(folder):
    assert [label for _, label in pen_strokes.reporting_digits(folder)] == [5]
    assert 5 not in {drawing.writer for drawing in pen_strokes.load_pen_strokes(folder)}
