"""Parses the header `Retry-After`, which holds seconds or a date (RFC 9110, section 10.2.3)."""

import datetime
import email.utils
import math

_LONGEST = 100  # characters


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds from now, 0 for a past date; None without a header or for an invalid one."""
    if value is None or len(value) > _LONGEST or not value.isascii():  # `float` reads the digits of every script
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(value)
            seconds = (when.replace(tzinfo=when.tzinfo or datetime.UTC) - _now()).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
