"""The boxes that the server accepts from a browser."""

import pytest

from ui.box_picker import parse_box


def test_a_box_is_four_shares_of_the_sides():
    assert parse_box([0, 0.25, 0.5, 1]) == (0.0, 0.25, 0.5, 1.0)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "0.1",
        [0.1, 0.2, 0.3],
        [0.1, 0.2, 0.3, "0.4"],
        [0.1, 0.2, 0.3, True],
        [0.1, 0.2, 0.1, 0.4],
        [0.5, 0.2, 0.1, 0.4],
        [-0.1, 0.2, 0.3, 0.4],
        [0.1, 0.2, 0.3, 1.4],
        [0.1, 0.2, 0.3, float("nan")],
        [0.1, 0.2, float("inf"), 0.4],
    ],
)
def test_an_invalid_box_is_ignored(sent):
    assert parse_box(sent) is None
