"""Keeps the sessions of browsers that have signed in. A change holds for every replica at once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from canopy.store.engine.executor import Executor, Facet
from canopy.store.tables import sessions

_PATIENCE = 3.0  # seconds: anybody may send a cookie, and each holds a place while it is looked up


class Session(NamedTuple):
    """Describes a session. Neither its id nor its token can be found from what is stored."""

    digest: str  # of the random id that the browser holds
    user_id: str  # the token's name
    token: str  # the token's fingerprint
    created_at: int  # microseconds since the epoch
    expires_at: int


class SessionStore(Facet):
    """Begins, finds and ends sessions."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock

    async def begin(self, session: Session, most: int) -> None:
        """Store a session, and end the oldest of its token beyond `most`. Expired ones go as well."""
        await self._executor.write(self._begin, (session, most))

    async def find(self, digest: str) -> Session | None:
        """Read a session; None when it is unknown, ended or expired."""
        return await self._executor.read_within(_PATIENCE, self._find, digest)

    async def end(self, digest: str) -> None:
        """End a session, if it is there."""
        await self._executor.write(self._end, sessions.c.digest == digest, reserve=True)

    async def end_of_other_tokens(self, tokens: frozenset[str]) -> None:
        """End every session but those of these tokens, given by their fingerprints."""
        await self._executor.write(self._end, sessions.c.token.not_in(sorted(tokens)), reserve=True)

    async def end_of_user(self, user_id: str) -> None:
        """End every session of a user."""
        await self._executor.write(self._end, sessions.c.user_id == user_id, reserve=True)

    def _begin(self, conn: Connection, begun: Sequence[tuple[Session, int]]) -> list[None]:
        s = sessions.c
        conn.execute(delete(sessions).where(s.expires_at <= self._clock()))
        for session, most in begun:
            conn.execute(insert(sessions).values(session._asdict()))
            newest_first = select(s.digest).where(s.token == session.token).order_by(s.created_at.desc(), s.digest)
            conn.execute(delete(sessions).where(s.digest.in_(newest_first.offset(most).scalar_subquery())))
        return [None] * len(begun)

    def _end(self, conn: Connection, conditions: Sequence[ColumnElement[bool]]) -> list[None]:
        for condition in conditions:
            conn.execute(delete(sessions).where(condition))
        return [None] * len(conditions)

    def _find(self, digest: str) -> Session | None:
        s = sessions.c
        columns = [s[name] for name in Session._fields]
        with self._database.reader.connect() as conn:
            row = conn.execute(select(*columns).where(s.digest == digest, s.expires_at > self._clock())).first()
        return None if row is None else Session(*row)
