"""The sessions of browsers that have signed in, as the store keeps them."""

from typing import NamedTuple, Protocol


class Session(NamedTuple):
    """A session. Neither its id nor its token can be found from what is stored."""

    digest: str  # of the random id that the browser holds
    user_id: str  # the token's name
    token: str  # the token's fingerprint
    created_at: int  # microseconds since the epoch
    expires_at: int


class Sessions(Protocol):
    """What is done here holds for every replica at once."""

    async def begin(self, session: Session, most: int) -> None:
        """Store a session, and end the oldest of its token beyond `most`. Expired ones go as well."""

    async def find(self, digest: str) -> Session | None:
        """The session, unless it is unknown, ended or expired."""

    async def end(self, digest: str) -> None:
        """End a session, if it is there."""

    async def end_of_other_tokens(self, tokens: frozenset[str]) -> None:
        """End every session but those of these tokens, given by their fingerprints."""

    async def end_of_user(self, user_id: str) -> None:
        """End every session of a user."""
