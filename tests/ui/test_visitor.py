"""The id of a visitor: what a browser sent, if it is one of ours."""

import pytest

from ui.visitor import BYTES, COOKIE, hash_visitor, new_visitor, read_visitor


def test_the_id_that_a_browser_sent_is_taken():
    one = new_visitor()
    assert read_visitor({COOKIE: one}) == one


@pytest.mark.parametrize(
    "sent", ["", "a", "a" * 42, "a" * 44, "ä" * 43, "a" * 42 + "\n", "a" * 43 + "\n", "'" * 43]
)
def test_what_is_not_of_its_form_is_replaced(sent):
    assert read_visitor({COOKIE: sent}) != sent
    assert len(read_visitor({COOKIE: sent})) == 43


def test_nobody_guesses_an_id():
    assert BYTES * 8 >= 128
    assert len({read_visitor({}) for _ in range(1000)}) == 1000


def test_what_is_written_of_an_id_does_not_give_it_back():
    one = new_visitor()
    assert len(hash_visitor(one)) == 64
    assert hash_visitor(one) == hash_visitor(one) != hash_visitor(new_visitor())
    assert read_visitor({COOKIE: hash_visitor(one)}) != hash_visitor(one)  # no cookie is made of it
