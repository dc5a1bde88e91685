"""What one asker may have stored in a day: bytes, and votes on texts that Canopy didn't make."""

from collections import Counter
from collections.abc import Callable

from canopy.auth.askers import Asker
from canopy.auth.limits import Limit, RateLimits, again, whole
from canopy.base.errors import RateLimited
from canopy.config.access import RateLimitValues

_RECORD = 1_000  # bytes that a request which stores something costs beside its texts: rows, indexes, a key for retries
_DAY = 86_400
_TOGETHER = "everybody"  # whom Canopy doesn't know have one budget, which protects the disk


class Budgets:
    """Spent when something is stored, and asked before: who has something left may store one thing more, however long.

    What is refused costs nothing: a budget that many share would be spent by whoever sends what can't be stored. What
    is under way counts meanwhile, lest many things at once be the one thing more.
    """

    def __init__(self, limits: RateLimits, values: Callable[[], RateLimitValues]) -> None:
        self._limits = limits
        self._values = values
        self._under_way: Counter[str] = Counter()

    def begin(self, asker: Asker, size: int) -> Callable[[], None]:
        """A request that may store so many bytes begins; what to call when it has ended, stored or not.

        Raises RateLimited when nothing is left of the asker's bytes.
        """
        limit, client = self._bytes(asker)
        if not limit.number:
            return lambda: None
        if wait := self._limits.wait("bytes", client, limit):
            who = "one person" if asker.known else "everybody together"
            raise RateLimited(
                f"That is as much text as {who} may have kept in a day ({limit.number:,} bytes). {again(wait)}",
                retry_after=whole(wait),
            )
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

    def spend(self, asker: Asker, size: int) -> None:
        """Count a record that is stored, with so many bytes of texts."""
        limit, client = self._bytes(asker)
        if limit.number:
            self._limits.add("bytes", client, limit, _RECORD + size)

    def foreign_vote(self, asker: Asker) -> RateLimited | None:
        """What to answer to a vote on texts that Canopy didn't make: None while the asker may give one."""
        limit = self._foreign(asker)
        if limit is not None and (wait := self._limits.wait("foreign_votes", asker.key, limit)):
            return RateLimited(
                f"One person may rate {limit.number:,} responses in a day that Canopy didn't write. {again(wait)} "
                "Votes on Canopy's own responses are taken as ever.",
                retry_after=whole(wait),
            )
        return None

    def spend_foreign_vote(self, asker: Asker) -> None:
        """Count a vote on texts that Canopy didn't make."""
        limit = self._foreign(asker)
        if limit is not None:
            self._limits.add("foreign_votes", asker.key, limit)

    def _bytes(self, asker: Asker) -> tuple[Limit, str]:
        values = self._values()
        if asker.known:
            return Limit(values.bytes_per_day, _DAY), asker.key
        return Limit(values.open_bytes_per_day, _DAY), _TOGETHER

    def _foreign(self, asker: Asker) -> Limit | None:
        """No limit for whom Canopy doesn't know: their votes are claims, and their bytes are counted."""
        number = self._values().foreign_votes_per_day if asker.known else 0
        return Limit(number, _DAY) if number else None
