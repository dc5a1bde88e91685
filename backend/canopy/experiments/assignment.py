"""Who compares two prompts, which prompt stands where, and what makes two comparisons part of one experiment."""

import json
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


def experiment_id(prompt_id: str, prompt_b_id: str, model: str, temperature: float, max_tokens: int) -> str:
    """`exp_` and the first 16 hex digits of a SHA-256 over what an experiment holds fixed.

    They are hashed as a JSON array, in which no value can be mistaken for a part of another.
    """
    # `temperature: 1` and `temperature: 1.0` are one setting.
    fixed = json.dumps([prompt_id, prompt_b_id, model, float(temperature), max_tokens], separators=(",", ":"))
    return f"exp_{sha256(fixed.encode()).hexdigest()[:16]}"
