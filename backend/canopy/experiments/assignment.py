"""Assigns sessions to comparisons and variants to sides, and identifies experiments."""

import json
import secrets
from hashlib import sha256
from typing import Literal

from canopy.config.features import BUILT_IN

_UNIT = 2**64


def is_in_share(key: str | None, percentage: float) -> bool:
    """Return whether this session or user is in the share of those who compare; `percentage` is 0 to 100.

    A key has a fixed position between 0 and 100, from its SHA-256: the same in every process and after every restart,
    so a key that is in at 20 % is still in at 50 %. Without a key each request is drawn anew.
    """
    if key is None:
        place = secrets.randbelow(_UNIT)
    else:
        # The prefix makes this draw independent of others from the same key.
        place = int.from_bytes(sha256(b"canopy-ab:" + key.encode("utf-8", "surrogatepass")).digest()[:8])
    return place < percentage / 100 * _UNIT


def prompt_b_side() -> Literal["a", "b"]:
    """Return a random side for Prompt B, from the system's secure source: no client can predict it."""
    return secrets.choice(("a", "b"))


def experiment_id(
    prompt_id: str, prompt_b_id: str, model: str, temperature: float, max_tokens: int, feature: str = BUILT_IN
) -> str:
    """Return `exp_` and the first 16 hex digits of a SHA-256 over everything that an experiment holds fixed.

    They are hashed as a JSON array, in which no value can be mistaken for a part of another. The built-in feature's
    name is left out: its experiments are older than other features, and keep their ids.
    """
    # `temperature: 1` and `temperature: 1.0` are the same.
    fixed: list[object] = [prompt_id, prompt_b_id, model, float(temperature), max_tokens]
    if feature != BUILT_IN:
        fixed.append(feature)
    return f"exp_{sha256(json.dumps(fixed, separators=(',', ':')).encode()).hexdigest()[:16]}"
