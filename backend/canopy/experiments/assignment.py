"""Who compares two prompts, and which prompt stands where."""

import secrets
from hashlib import sha256
from typing import Literal

_UNIT = 2**64


def compares(key: str | None, percentage: float) -> bool:
    """Whether this session or user is in the share that compares; `percentage` is 0 to 100.

    A key has one fixed place between 0 and 100, from its SHA-256. It is the same in every process and after every
    restart, so a key that is in at 20 % is still in at 50 %. Without a key each request is drawn anew.
    """
    if key is None:
        place = secrets.randbelow(_UNIT)
    else:
        # The prefix keeps this draw apart from whatever else is drawn from the same key.
        place = int.from_bytes(sha256(b"canopy-ab:" + key.encode("utf-8", "surrogatepass")).digest()[:8])
    return place < percentage / 100 * _UNIT


def prompt_b_side() -> Literal["a", "b"]:
    """The side for Prompt B, from the system's source of randomness: no client can foresee it."""
    return secrets.choice(("a", "b"))
