"""Sessions of browsers in SQL."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from canopy.base.errors import StoreError
from canopy.store.auth.sessions import Session
from canopy.store.engine.database import UNAVAILABLE, Database
from canopy.store.engine.writer import Writer
from canopy.store.tables import sessions

_PATIENCE = 3.0  # seconds: anybody may send a cookie, and each holds a place while it is looked up


class SqlSessions:
    """See `canopy.store.auth.sessions.Sessions` for what each method promises."""

    def __init__(
        self, database: Database, writer: Writer, read: Callable[..., Awaitable[Any]], clock: Callable[[], int]
    ) -> None:
        self._database = database
        self._writer = writer
        self._read = read
        self._clock = clock

    async def begin(self, session: Session, most: int) -> None:
        """Store a session."""
        await self._writer.submit(self._begin, (session, most))

    async def find(self, digest: str) -> Session | None:
        """Read a session."""
        try:
            async with asyncio.timeout(_PATIENCE):
                found: Session | None = await self._read(self._find, digest)
        except TimeoutError as error:
            raise StoreError(UNAVAILABLE, retry_after=5) from error
        return found

    async def end(self, digest: str) -> None:
        """End a session."""
        await self._writer.submit(self._end, sessions.c.digest == digest, due=True)

    async def end_of_other_tokens(self, tokens: frozenset[str]) -> None:
        """End the sessions of all but these tokens."""
        await self._writer.submit(self._end, sessions.c.token.not_in(sorted(tokens)), due=True)

    async def end_of_user(self, user_id: str) -> None:
        """End the sessions of a user."""
        await self._writer.submit(self._end, sessions.c.user_id == user_id, due=True)

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
