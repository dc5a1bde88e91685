"""`Retry-After` in both of its forms."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from canopy.base.retry_after import parse_retry_after


def test_a_date_is_the_time_until_then() -> None:
    seconds = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    assert seconds is not None
    assert 3500 < seconds <= 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2015 07:28:00", 0.0)],
)
def test_a_number_is_seconds_and_the_past_is_now(value: str, seconds: float) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "1e999"])
def test_anything_else_is_no_time(value: str) -> None:
    assert parse_retry_after(value) is None
