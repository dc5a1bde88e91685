"""Browser sessions: a token is sent once, and a random id with a limited lifetime stands for it."""

import hashlib
import re
import secrets
import time

from canopy.auth.identity import Identity
from canopy.auth.tokens import Tokens, fingerprint
from canopy.store.auth.sessions import Session, SessionStore

LIFETIME = 12 * 3_600  # seconds: a working day
_APART = 3_600  # seconds between the clocks of two replicas, at most
_MOST = 1_000  # sessions of one token, which a workshop may share; the oldest is ended first
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class BrowserSessions:
    """Begins, identifies and ends sessions. A session has the permissions that its token has now."""

    def __init__(self, stored: SessionStore, tokens: Tokens) -> None:
        self._stored = stored
        self._tokens = tokens
        self._known: frozenset[str] | None = None  # the tokens at the last check for removed ones

    async def begin(self, user: str, token: str) -> str:
        """Begin a session with a token and return its id, which is stored only as a digest."""
        session_id = secrets.token_urlsafe(32)
        now = _now()
        session = Session(_digest(session_id), user, fingerprint(token), now, now + LIFETIME * 1_000_000)
        await self._stored.begin(session, _MOST)
        return session_id

    async def identify(self, session_id: str) -> Identity | None:
        """Return the session's identity; None when it, or its token, is no longer valid."""
        if not _ID.fullmatch(session_id):
            return None
        session = await self._stored.find(_digest(session_id))
        # A clock that was wrong and is set back must not make the session longer than it may be.
        if session is None or session.created_at > _now() + _APART * 1_000_000:
            return None
        identity = self._tokens.holder(session.token)
        if identity is None:  # end it for good: the same token may return to the file
            await self._stored.end(session.digest)
        return identity

    async def end(self, session_id: str) -> None:
        """End a session; an unknown id is ignored."""
        if _ID.fullmatch(session_id):
            await self._stored.end(_digest(session_id))

    async def end_removed(self) -> None:
        """End the sessions of removed tokens, also of those removed while no process ran."""
        known = self._tokens.fingerprints
        if known != self._known:
            await self._stored.end_of_other_tokens(known)
            self._known = known


def _now() -> int:
    return time.time_ns() // 1_000


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
