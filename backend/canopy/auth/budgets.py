"""Daily budgets of one requester: bytes stored, and votes on texts that Canopy didn't generate."""

from collections import Counter
from collections.abc import Callable

from canopy.auth.limits import Limit, RateLimits, rate_limited
from canopy.auth.requesters import Requester
from canopy.base.errors import RateLimited
from canopy.config.access import RateLimitValues

_RECORD = 1_000  # bytes that a stored record costs beside its texts: rows, indexes, an idempotency key
_DAY = 86_400
_TOGETHER = "everybody"  # all unknown requesters share one budget, which protects the disk


class StorageBudgets:
    """Budgets that are checked when a request begins and spent when its record is stored.

    Whoever has anything left may store one more record of any length. A refused request spends nothing: otherwise a
    shared budget could be used up by requests that store nothing. Requests in progress count until they end, so that
    many at once can't all be the last one.
    """

    def __init__(self, limits: RateLimits, values: Callable[[], RateLimitValues]) -> None:
        self._limits = limits
        self._values = values
        self._under_way: Counter[str] = Counter()

    def begin(self, requester: Requester, size: int) -> Callable[[], None]:
        """Register a request that may store `size` bytes, and return the function to call when it has ended.

        Raises RateLimited when the requester's bytes are used up.
        """
        limit, client = self._bytes(requester)
        if not limit.number:
            return lambda: None
        if wait := self._limits.wait("bytes", client, limit):
            who = "one person" if requester.known else "everybody together"
            raise rate_limited(f"That is as much text as {who} may have kept in a day ({limit.number:,} bytes).", wait)
        left = limit.number - self._under_way[client]
        if left < limit.number and (left <= 0 or self._limits.wait("bytes", client, limit._replace(number=left))):
            raise RateLimited(
                "What is being sent at this moment may be all that is left of the day's bytes. Try again when it has "
                "been taken.",
                retry_after=1,
            )
        self._under_way[client] += size

        def ended() -> None:
            self._under_way[client] -= size
            if self._under_way[client] <= 0:
                del self._under_way[client]

        return ended

    def spend(self, requester: Requester, size: int) -> None:
        """Count a stored record with `size` bytes of texts."""
        limit, client = self._bytes(requester)
        if limit.number:
            self._limits.add("bytes", client, limit, _RECORD + size)

    def foreign_vote_refusal(self, requester: Requester) -> RateLimited | None:
        """Return the error for a vote on a text that Canopy didn't generate; None while such votes are allowed."""
        limit = self._foreign(requester)
        if limit is not None and (wait := self._limits.wait("foreign_votes", requester.key, limit)):
            return rate_limited(
                f"One person may rate {limit.number:,} responses in a day that Canopy didn't write.",
                wait,
                "Votes on Canopy's own responses are taken as ever.",
            )
        return None

    def spend_foreign_vote(self, requester: Requester) -> None:
        """Count a vote on a text that Canopy didn't generate."""
        limit = self._foreign(requester)
        if limit is not None:
            self._limits.add("foreign_votes", requester.key, limit)

    def _bytes(self, requester: Requester) -> tuple[Limit, str]:
        values = self._values()
        if requester.known:
            return Limit(values.bytes_per_day, _DAY), requester.key
        return Limit(values.open_bytes_per_day, _DAY), _TOGETHER

    def _foreign(self, requester: Requester) -> Limit | None:
        """Return the limit of such votes; None for unknown requesters, whose bytes are limited instead."""
        number = self._values().foreign_votes_per_day if requester.known else 0
        return Limit(number, _DAY) if number else None
