"""Assigns sessions to comparisons and variants to sides, and identifies experiments."""

import json
import secrets
from hashlib import sha256
from typing import Literal, TypedDict

from canopy.config.feature_values import VARIANTS
from canopy.config.features import BUILT_IN, Feature

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


class ExperimentParameters(TypedDict):
    """The models and parameters that an experiment holds fixed; of variant B what is another than A's, else None."""

    model: str
    temperature: float
    max_tokens: int
    model_b: str | None
    temperature_b: float | None
    max_tokens_b: int | None


def experiment_parameters(feature: Feature) -> ExperimentParameters:
    """Return those of an experiment on a feature's variants, which have the models that answer."""
    a, b = (feature.variant(name) for name in VARIANTS)
    return {
        "model": a.model,
        "temperature": a.temperature,
        "max_tokens": a.max_tokens,
        "model_b": b.model if b.model != a.model else None,
        "temperature_b": b.temperature if b.temperature != a.temperature else None,
        "max_tokens_b": b.max_tokens if b.max_tokens != a.max_tokens else None,
    }


def experiment_id(
    prompt_id: str,
    prompt_b_id: str,
    model: str,
    temperature: float,
    max_tokens: int,
    feature: str = BUILT_IN,
    *,
    model_b: str | None = None,
    temperature_b: float | None = None,
    max_tokens_b: int | None = None,
) -> str:
    """Return `exp_` and the first 16 hex digits of a SHA-256 over everything that an experiment holds fixed.

    They are hashed as a JSON array, in which no value can be mistaken for a part of another. The built-in feature's
    name is left out: its experiments are older than other features, and keep their ids. So is what B has as A has it:
    experiments on prompts are older than those on models and parameters.
    """
    # `temperature: 1` and `temperature: 1.0` are the same.
    fixed: list[object] = [prompt_id, prompt_b_id, model, float(temperature), max_tokens]
    if feature != BUILT_IN:
        fixed.append(feature)
    warmth_b = None if temperature_b is None else float(temperature_b)
    of_both = {
        "model": (model, model_b),
        "temperature": (temperature, warmth_b),
        "max_tokens": (max_tokens, max_tokens_b),
    }
    if own := {key: b for key, (a, b) in of_both.items() if b not in (None, a)}:
        fixed.append(own)
    return f"exp_{sha256(json.dumps(fixed, separators=(',', ':')).encode()).hexdigest()[:16]}"
