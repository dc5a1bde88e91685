"""Prompts and their content-addressed ids."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt's text and its id: `sha256:` and the first 16 hex digits of the SHA-256 of the UTF-8 text.

    Two prompts have one id exactly when their texts are equal, so a statistic by id never mixes two texts.
    """

    id: str
    text: str


@lru_cache(maxsize=64)
def prompt(text: str) -> Prompt:
    """The prompt with this text."""
    return Prompt(f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}", text)
