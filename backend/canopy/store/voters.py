"""Who counts as one voter: a key for each, which no other voter can have.

A user's name is worth what vouches for it. Who signed in with a token as Ben, whom a proxy calls Ben and who says in a
body that they are Ben may be three people, so that they are three voters.
"""

from typing import Literal

# What vouches for a `user_id`. Without any of it the user is claimed: the client says so, and anybody can.
type Proof = Literal["token", "proxy"]

ANONYMOUS = "anonymous"


def voter_of(user_id: str | None, user_proof: Proof | None, session_id: str | None) -> str:
    """The voter's key: the user's, else the session's, else that of everybody who says neither."""
    if user_id is not None:
        return f"{user_proof or 'user'}:{user_id}"
    return f"session:{session_id}" if session_id is not None else ANONYMOUS


def judge_voter(name: str) -> str:
    """The key of a judge."""
    return f"judge:{name}"
