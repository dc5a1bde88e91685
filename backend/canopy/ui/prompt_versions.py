"""Satisfaction by prompt version, with its uncertainty."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from canopy.feedback.statistics import Tally, tallies_by
from canopy.stats.intervals import wilson
from canopy.store.feedback.query import FeedbackCount


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """Says how satisfied people are with the answers of one prompt text with one model."""

    prompt_id: str | None
    model: str | None
    text: str | None
    tally: Tally
    interval: tuple[float, float] | None  # of the satisfaction


def prompt_versions(counts: Iterable[FeedbackCount], texts: Mapping[str, str]) -> list[PromptVersion]:
    """Return one entry per prompt and model, most votes first."""
    versions = [
        PromptVersion(
            prompt_id=prompt_id,
            model=model,
            text=texts.get(prompt_id) if prompt_id else None,
            tally=votes,
            interval=wilson(votes.positive, votes.positive + votes.negative),
        )
        for (prompt_id, model), votes in tallies_by(counts, lambda it: (it.prompt_id, it.model)).items()
    ]
    return sorted(versions, key=lambda version: -version.tally.total)


def shown_prompts(counts: Iterable[FeedbackCount], most: int) -> list[str]:
    """Return the ids of the prompts whose texts a page needs that shows at most so many versions."""
    ids = (version.prompt_id for version in prompt_versions(counts, {})[:most])
    return list(dict.fromkeys(prompt_id for prompt_id in ids if prompt_id))
