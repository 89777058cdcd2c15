"""Messages of a browser are parsed as acts, or refused."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ui.acts import MOST_AT_ONCE, PNG, LabelAct, PictureAct, parse

ID = "0123456789abcdef0123456789abcdef"
PICTURE = {"number": 1, "drawing": ID, "revision": 2, "picture": PNG + base64.b64encode(b"png").decode()}
LABEL = {"number": 2, "label": 7, "drawing": ID, "ago": 3000}


def test_pictures_and_labels_are_read_in_their_order():
    sent = [PICTURE, LABEL, {**PICTURE, "number": 3, "picture": None}]
    assert parse(sent) == [
        PictureAct(1, UUID(ID), 2, b"png"),
        LabelAct(2, 7, UUID(ID)),
        PictureAct(3, UUID(ID), 2, None),
    ]


def test_a_label_has_the_time_of_its_click():
    [labelled] = parse([LABEL])
    assert timedelta(seconds=3) <= datetime.now(UTC) - labelled.at < timedelta(seconds=60)


def test_only_the_first_acts_of_a_long_message_are_parsed():
    assert len(parse([PICTURE] * (MOST_AT_ONCE + 1))) == MOST_AT_ONCE


@pytest.mark.parametrize(
    "sent",
    [
        None,
        17,
        [None],
        [{}],
        {"number": 1},
        [{"number": 1}],
        [{**LABEL, "label": 10}],
        [{**LABEL, "label": "7"}],
        [{**LABEL, "number": 0}],
        [{**LABEL, "number": True}],
        [{**LABEL, "drawing": "x"}],
        [{**LABEL, "ago": -1}],
        [{**LABEL, "ago": 10**18}],
        [{"number": 1, "label": 7, "ago": 0}],
        [{**PICTURE, "drawing": "x"}],
        [{**PICTURE, "drawing": None}],
        [{**PICTURE, "revision": 2**40}],
        [{**PICTURE, "picture": "data:image/svg+xml;base64,AAAA"}],
        [{**PICTURE, "picture": PNG + "?"}],
        [{**PICTURE, "picture": 17}],
    ],
)
def test_an_invalid_message_is_refused(sent):
    with pytest.raises(ValueError):  # noqa: PT011
        parse(sent)
