"""The id of a visitor, from the cookie or new."""

import pytest

from ui.visitor import BYTES, COOKIE, hash_visitor, new_visitor, read_visitor


def test_a_valid_id_of_a_browser_is_accepted():
    one = new_visitor()
    assert read_visitor({COOKIE: one}) == one


@pytest.mark.parametrize(
    "sent", ["", "a", "a" * 42, "a" * 44, "ä" * 43, "a" * 42 + "\n", "a" * 43 + "\n", "'" * 43]
)
def test_an_invalid_id_is_replaced(sent):
    assert read_visitor({COOKIE: sent}) != sent
    assert len(read_visitor({COOKIE: sent})) == 43


def test_ids_cannot_be_guessed():
    assert BYTES * 8 >= 128
    assert len({read_visitor({}) for _ in range(1000)}) == 1000


def test_the_stored_hash_does_not_reveal_the_id():
    one = new_visitor()
    assert len(hash_visitor(one)) == 64
    assert hash_visitor(one) == hash_visitor(one) != hash_visitor(new_visitor())
    assert read_visitor({COOKIE: hash_visitor(one)}) != hash_visitor(one)  # the hash is no valid cookie
