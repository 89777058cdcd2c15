"""Who is an operator, and how fast one can guess."""

import pytest

from ui.operator import NEXT_TRY_S, TRIES, Door, sits_here


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_whoever_sits_here_is_known_by_the_gateway_s_word_and_the_name_they_asked_for(address, host):
    assert sits_here([address], host)


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        [""],
        ["10.0.0.1"],
        ["203.0.113.7"],
        ["2001:db8::1"],
        ["::ffff:10.0.0.1"],
        ["localhost"],
        ["127.0.0.1, 10.0.0.1"],
        ["10.0.0.1, 127.0.0.1"],
        ["127.0.0.1", "127.0.0.1"],
        ["127.0.0.1", "10.0.0.1"],
    ],
)
def test_anyone_else_does_not(addresses):
    assert not sits_here(addresses, "localhost")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.org",
        "localhost.example.org",
        "10.0.0.1:8000",
        "x@example.org",
        "[::1",
        "localhost@example.org",
    ],
)
def test_a_proxy_or_a_foreign_name_that_leads_here_makes_nobody_sit_here(host):
    assert not sits_here(["127.0.0.1"], host)


@pytest.fixture
def clock():
    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    return Clock()


def test_the_password_opens_and_nothing_else_does(clock):
    door = Door("correct horse é", clock)
    assert door.needs_password
    assert door.opens("correct horse é", "a") is True
    for wrong in ("", "correct horse", "correct horse é ", "CORRECT HORSE É"):
        assert door.opens(wrong, "b") is False


def test_without_a_password_there_is_nothing_to_open(clock):
    door = Door("", clock)
    assert not door.needs_password
    assert door.opens("", "a") is False


def test_who_guesses_is_slowed_down_and_nobody_elsewhere(clock):
    door = Door("right", clock)
    assert [door.opens("wrong", "a") for _ in range(TRIES)] == [False] * TRIES
    for _ in range(100):
        assert door.opens("right", "a") is None  # not even looked at, or guessing would go on
    assert door.opens("right", "b") is True
    clock.now += NEXT_TRY_S
    assert door.opens("right", "a") is True  # however often it was tried meanwhile
    assert door.opens("right", "a") is None
    clock.now += TRIES * NEXT_TRY_S
    assert [door.opens("wrong", "a") for _ in range(TRIES + 1)] == [False] * TRIES + [None]
