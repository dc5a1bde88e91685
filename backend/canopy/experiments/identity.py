"""What makes two comparisons part of one experiment."""

import json
from hashlib import sha256


def experiment_id(prompt_id: str, prompt_b_id: str, model: str, temperature: float, max_tokens: int) -> str:
    """`exp_` and the first 16 hex digits of a SHA-256 over what an experiment holds fixed.

    They are hashed as a JSON array, in which no value can be mistaken for a part of another.
    """
    # `temperature: 1` and `temperature: 1.0` are one setting.
    fixed = json.dumps([prompt_id, prompt_b_id, model, float(temperature), max_tokens], separators=(",", ":"))
    return f"exp_{sha256(fixed.encode()).hexdigest()[:16]}"
