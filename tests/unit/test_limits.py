"""How often a client may ask: windows that slide, and what comes together from several replicas."""

import pytest

from canopy.auth.limits import Limit, RateLimits, rate_limited
from canopy.auth.requesters import Requester, requester_of
from canopy.auth.windows import Windows
from canopy.base.errors import RateLimited
from canopy.config.access import RateLimitValues


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_client_and_each_kind_has_its_own_count() -> None:
    limits, values = RateLimits(), RateLimitValues(summarize="2/day", feedback="1/day", read="")
    for _ in range(2):
        limits.count("summarize", "ana", values)
    with pytest.raises(RateLimited, match="2 times in a day") as caught:
        limits.count("summarize", "ana", values)
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 2 * 86_400
    limits.count("summarize", "ben", values)
    limits.count("feedback", "ana", values)
    with pytest.raises(RateLimited, match="once in a day"):
        limits.count("feedback", "ana", values)
    for _ in range(100):
        limits.count("read", "ana", values)


@pytest.mark.parametrize("began", [0, 10, 30, 59.9])
@pytest.mark.parametrize("number", [1, 2, 7, 60])
def test_retry_after_is_when_it_is_possible_again_and_not_later(began: float, number: int) -> None:
    clock = Clock()
    limits = RateLimits(clock)
    clock.now = began
    for _ in range(20):
        for _ in range(number + 1):
            if not (wait := limits.wait("read", "ana", Limit(number, 60))):
                limits.add("read", "ana", Limit(number, 60))
        assert 0 < wait <= 120
        clock.now += wait - 0.01
        assert limits.wait("read", "ana", Limit(number, 60)) > 0
        clock.now += 0.02
        assert limits.wait("read", "ana", Limit(number, 60)) == 0


def test_in_no_minute_does_a_client_get_much_more_than_its_limit() -> None:
    clock = Clock()
    limits = RateLimits(clock)
    allowed: list[float] = []
    for tenth in range(6_000):
        clock.now = tenth / 10
        for _ in range(5):
            if not limits.wait("read", "ana", Limit(60, 60)):
                limits.add("read", "ana", Limit(60, 60))
                allowed.append(clock.now)
    busiest = max(sum(1 for it in allowed if at <= it < at + 60) for at in range(540))
    assert 55 <= len(allowed) / 10 <= 66
    assert busiest <= 2 * 60


def test_a_client_that_fills_the_table_neither_gets_a_new_count_nor_takes_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("canopy.auth.windows._CLIENTS", 100)
    windows = Windows(60)
    for _ in range(10):
        windows.add("script", 1, 10, 0)
    for number in range(10_000):
        windows.add(f"made-up-{number}", 1, 10, 0)
    assert windows.wait("script", 10, 0) > 0
    alone = [number for number in range(10_000) if not windows.wait(f"made-up-{number}", 2, 0)]
    assert len(alone) < 100 + 20  # all others share counters, of which hardly any has one client
    # In the next window, which the flood has filled before the script comes, its count is shared but not forgotten.
    for number in range(10_000):
        windows.add(f"made-up-{number}", 1, 10, 60)
    for _ in range(10):
        windows.add("script", 1, 10, 60)
    assert windows.wait("script", 10, 60) > 0
    assert windows.wait("script", 10, 119) > 0


def test_a_clock_that_is_set_back_or_far_ahead_forgets_no_count_and_locks_nobody_out() -> None:
    windows = Windows(60)
    windows.add("ana", 5, 5, 600)
    assert 0 < windows.wait("ana", 5, 599) <= 120
    assert windows.wait("ana", 5, 10_000) == 0


def test_ipv6_is_counted_by_the_network_that_one_holder_has() -> None:
    def key(address: str) -> str:
        return requester_of(None, address, by_address=True).key

    assert key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9") == "address:2001:db8:1:2::/64"
    assert key("2001:db8:1:3::1") != key("2001:db8:1:2::1")
    assert key("::ffff:192.0.2.7") == key("192.0.2.7") == "address:192.0.2.7"
    assert key("fe80::1%eth0") == "address:fe80::/64"
    assert key("192.0.2.8") != key("192.0.2.7")
    # A user's name is no address, whatever it looks like.
    assert requester_of("192.0.2.7", None, by_address=False) == Requester("user:192.0.2.7", True)
    assert not requester_of(None, "192.0.2.7", by_address=False).known


@pytest.mark.parametrize(
    ("wait", "sentence"),
    [
        (0.2, "Try again in 1 second."),
        (59.5, "Try again in 60 seconds."),
        (61, "Try again in 2 minutes."),
        (3_601, "Try again in 2 hours."),
    ],
)
def test_a_refusal_says_when_it_is_possible_again(wait: float, sentence: str) -> None:
    assert rate_limited("Too often.", wait).sentence == f"Too often. {sentence}"
