"""Attacks on the counting of requests: clients without number, addresses without end, replicas played off."""

import time

import pytest

from canopy.auth.limits import RateLimits
from canopy.flags.access import RateLimitValues

pytestmark = pytest.mark.own_server


def _count(limits: RateLimits, clients: int, requests: int) -> float:
    """Seconds for so many requests of the first so many clients."""
    values = RateLimitValues(feedback="1000000/minute")
    began = time.process_time()
    for number in range(requests):
        limits.count("feedback", f"user:{number % clients}", values)
    return time.process_time() - began


def test_making_counting_dear_by_a_hundred_thousand_clients() -> None:
    few, many = RateLimits(), RateLimits()
    _count(few, 100, 100)
    _count(many, 100_000, 100_000)
    ratio = min(_count(many, 100, 5_000) for _ in range(5)) / min(_count(few, 100, 5_000) for _ in range(5))
    assert ratio < 5
