"""System prompts and their content-addressed ids."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt's text and its id: `sha256:` and the first 16 hex digits of the SHA-256 of the UTF-8 text.

    Equal texts have equal ids and different texts different ones, so that statistics by id never mix two texts.
    """

    id: str
    text: str


@lru_cache(maxsize=64)
def prompt_of(text: str) -> Prompt:
    """Return the prompt with this text."""
    return Prompt(f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}", text)
