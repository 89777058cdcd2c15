"""The boxes of the lines that a browser sends."""

import pytest

from ui.box_picker import fit, parse_box

SIZE = (200, 100)


def sent(**line):
    return {"raw": {"objects": [{"left": 1, "top": 1, "width": 1, "height": 1}, line]}}


def test_a_box_is_four_shares_of_the_sides():
    line = sent(left=50, top=62.5, width=100, height=75)
    assert parse_box(line, SIZE, None) == (0.0, 0.25, 0.5, 1.0)


def test_a_line_beyond_the_edges_picks_the_part_in_the_picture():
    line = sent(left=150, top=0, width=200, height=50)
    assert parse_box(line, SIZE, None) == (0.25, 0.0, 1.0, 0.25)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((0.1, 0.1, 0.2, 0.5), (0.4, 0.2, 0.6, 0.6)),  # a square of 40 pixels
        ((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)),
        (None, (0.5 - 1 / 12, 0.4 - 1 / 6, 0.5 + 1 / 12, 0.4 + 1 / 6)),  # a third of the shorter side
    ],
)
def test_a_tap_picks_a_square_as_large_as_the_last_box(last, expected):
    assert parse_box(sent(left=100, top=40, width=7, height=0.5), SIZE, last) == pytest.approx(expected)


@pytest.mark.parametrize(
    "line",
    [
        None,
        "0.1",
        {"left": 1, "top": 2, "width": 30},
        {"left": 1, "top": 2, "width": 30, "height": "40"},
        {"left": 1, "top": 2, "width": 30, "height": True},
        {"left": 1, "top": 2, "width": 0, "height": 40},
        {"left": 1, "top": 2, "width": -30, "height": 40},
        {"left": -100, "top": 2, "width": 30, "height": 40},
        {"left": 1, "top": 200, "width": 30, "height": 40},
        {"left": 1, "top": 2, "width": 30, "height": float("nan")},
        {"left": 1, "top": 2, "width": float("inf"), "height": 40},
        {"left": 1, "top": 2, "width": 10**400, "height": 40},
    ],
)
def test_an_invalid_line_is_ignored(line):
    assert parse_box({"raw": {"objects": [line]}}, SIZE, None) is None


@pytest.mark.parametrize(
    "message", [None, [], "raw", {}, {"raw": None}, {"raw": {"objects": []}}, {"raw": {"objects": {}}}]
)
def test_a_message_without_a_line_is_ignored(message):
    assert parse_box(message, SIZE, None) is None


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ((600, 400), (304, 203)),
        ((300, 600), (138, 276)),
        ((28, 28), (276, 276)),  # enlarged
        ((1024, 1), (304, 1)),
    ],
)
def test_a_picture_fills_its_room_in_its_proportions(picture, shown):
    assert fit(picture) == shown
