"""One line per prompt version, with how sure its satisfaction is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

from canopy.feedback.statistics import Tally, tally
from canopy.store.base import Count

_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution: a 95 % interval


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """What one prompt text on one model earned. Without an id: votes on texts whose origin isn't known."""

    prompt_id: str | None
    model: str | None
    text: str | None
    tally: Tally
    interval: tuple[float, float] | None


def prompt_versions(counts: Iterable[Count], texts: Mapping[str, str]) -> list[PromptVersion]:
    """One line per prompt and model, most votes first, unknown origins last."""
    versions = [
        PromptVersion(prompt_id, model, texts.get(prompt_id) if prompt_id else None, votes, wilson(votes))
        for (prompt_id, model), votes in tally(counts, lambda it: (it.prompt_id, it.model)).items()
    ]
    return sorted(versions, key=lambda version: (version.prompt_id is None, -version.tally.total))


def wilson(votes: Tally) -> tuple[float, float] | None:
    """Wilson's 95 % interval of the satisfaction, which is how far chance alone may have moved it.

    None without a decided vote.
    """
    n = votes.positive + votes.negative
    if not n:
        return None
    share = votes.positive / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    spread = _Z / (1 + _Z * _Z / n) * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    return max(0.0, centre - spread), min(1.0, centre + spread)
