"""Makes the keys by which rows of the store are found: of voters, of texts, and of the place of a voter's vote.

A user's name is worth what vouches for it. Who signed in with a token as Ben, whom a proxy calls Ben and who says in a
body that they are Ben may be three people, so that they are three voters.

Digests have 32 hex digits. They raise UnicodeEncodeError for lone surrogates, which no database can hold either.
"""

from hashlib import blake2b
from typing import Literal

# What vouches for a `user_id`. Without any of it the user is claimed: the client says so, and anybody can.
type Proof = Literal["token", "proxy"]

ANONYMOUS = "anonymous"


def voter_of(user_id: str | None, user_proof: Proof | None, session_id: str | None) -> str:
    """Return the key of one voter, which no other can have: the user's, else the session's, else `ANONYMOUS`."""
    if user_id is not None:
        return f"{user_proof or 'user'}:{user_id}"
    return f"session:{session_id}" if session_id is not None else ANONYMOUS


def judge_voter(name: str) -> str:
    """Return the key of a judge as a voter."""
    return f"judge:{name}"


def digest(*texts: str) -> str:
    """Return a digest of a few short texts in their order. No other list of texts has the same."""
    lengths = ",".join([str(len(text)) for text in texts])
    return blake2b(f"{lengths};{''.join(texts)}".encode(), digest_size=16).hexdigest()


def slot_of(subject: str, voter: str, name: str) -> str:
    """Return the key of the place that holds one vote: a voter's, under a name, on the subject with this key."""
    return digest(subject, voter, name)


def text_digests(input_text: str, response_text: str) -> tuple[str, str]:
    """Return a digest of the input, and one of both texts. A generation and a vote on its texts have the same."""
    of_input = blake2b(input_text.encode(), digest_size=16).hexdigest()
    both = blake2b(of_input.encode() + response_text.encode(), digest_size=16).hexdigest()
    return of_input, both
