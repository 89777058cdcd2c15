"""Local requests and the login throttle."""

import pytest

from ui.operator import ATTEMPTS, NEXT_ATTEMPT_S, LoginThrottle, is_local


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_a_request_with_loopback_address_and_loopback_host_is_local(address, host):
    assert is_local([address], host)


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
def test_a_request_with_another_address_is_not_local(addresses):
    assert not is_local(addresses, "localhost")


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
def test_a_request_with_another_host_is_not_local(host):
    assert not is_local(["127.0.0.1"], host)


def test_only_the_password_is_accepted(clock):
    throttle = LoginThrottle("correct horse é", clock)
    assert throttle.needs_password
    assert throttle.check("correct horse é", "a") is True
    for wrong in ("", "correct horse", "correct horse é ", "CORRECT HORSE É"):
        assert throttle.check(wrong, "b") is False


def test_without_a_password_no_attempt_succeeds(clock):
    throttle = LoginThrottle("", clock)
    assert not throttle.needs_password
    assert throttle.check("", "a") is False


def test_attempts_are_limited_for_each_address(clock):
    throttle = LoginThrottle("right", clock)
    assert [throttle.check("wrong", "a") for _ in range(ATTEMPTS)] == [False] * ATTEMPTS
    for _ in range(100):
        assert throttle.check("right", "a") is None  # not compared: guesses would succeed otherwise
    assert throttle.check("right", "b") is True
    clock.now += NEXT_ATTEMPT_S
    assert throttle.check("right", "a") is True  # refused attempts do not count
    assert throttle.check("right", "a") is None
    clock.now += ATTEMPTS * NEXT_ATTEMPT_S
    assert [throttle.check("wrong", "a") for _ in range(ATTEMPTS + 1)] == [False] * ATTEMPTS + [None]
