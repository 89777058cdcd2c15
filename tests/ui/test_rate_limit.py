from ui.rate_limit import RateLimit, network


def test_a_burst_is_allowed_and_then_one_token_every_interval(clock):
    limit = RateLimit(3, 10.0, clock)
    assert [limit.take("a") for _ in range(5)] == [True] * 3 + [False] * 2
    assert limit.take("b")
    clock.now += 10
    assert [limit.take("a") for _ in range(2)] == [True, False]
    clock.now += 1000
    assert [limit.take("a") for _ in range(4)] == [True] * 3 + [False]


def test_a_request_can_take_several_tokens(clock):
    limit = RateLimit(10, 1.0, clock)
    assert limit.take("a", 8)
    assert not limit.take("a", 3)
    assert limit.take("a", 2)
    clock.now += 4
    assert [limit.take("a", 5), limit.take("a", 4)] == [False, True]


def test_the_number_of_addresses_is_limited(clock, monkeypatch):
    monkeypatch.setattr("ui.rate_limit.MOST_ADDRESSES", 10)
    limit = RateLimit(5, 10.0, clock)
    for number in range(100):
        limit.take(str(number))
    assert len(limit._full_again) == 10


def test_ipv6_addresses_of_one_network_share_a_bucket():
    assert network("2001:db8::1") == network("2001:db8::2:3") != network("2001:db8:0:1::1")
    assert network("10.0.0.1") != network("10.0.0.2")
    assert network("") == network("nonsense") == "unknown"
