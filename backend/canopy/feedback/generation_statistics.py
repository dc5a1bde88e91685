"""Statistics of generations: how many there were, how they ended, what they took, and what share people voted on."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

from canopy.base.clock import iso
from canopy.store.generations.usage import UsageCount, UsageSum


class UsagePayload(TypedDict):
    """Counts of generations: `failed`, `stopped` by the reader, and `compared` as sides of comparisons.

    `votable` ones were answered outside comparisons, so that people could vote on them. The time to the first token is
    about the median; null without one.
    """

    total: int
    completed: int
    failed: int
    stopped: int
    compared: int
    votable: int
    input_tokens: int
    output_tokens: int
    time_to_first_token_seconds: float | None


class HourlyUsagePayload(UsagePayload):
    """Generations of one hour, which begins at `hour` (RFC 3339, UTC)."""

    hour: str


class PromptUsagePayload(UsagePayload):
    """Generations of one prompt and model, and the hours of the first and the last of them."""

    prompt_id: str
    model: str
    first_used: str
    last_used: str


class GenerationStatisticsPayload(UsagePayload):
    """Generations of the time that was asked for, as far back as records are kept.

    `voted_share` is votes on satisfaction per votable generation, null without any. `over_time` is oldest first.
    """

    voted_share: float | None
    over_time: list[HourlyUsagePayload]
    by_prompt: list[PromptUsagePayload]


def usage_by[K](usage: Iterable[UsageCount], key: Callable[[UsageCount], K]) -> dict[K, UsageSum]:
    """Return the counts together for each value that `key` returns, in the order of first occurrence."""
    found: dict[K, list[UsageSum]] = {}
    for count in usage:
        found.setdefault(key(count), []).append(count.usage)
    return {name: usages[0] if len(usages) == 1 else UsageSum.sum(usages) for name, usages in found.items()}


def share_of(votes: int, usage: UsageSum) -> float | None:
    """Return votes per generation that people could vote on; None without any. Several may vote on one."""
    return votes / usage.votable if usage.votable else None


def generation_statistics(usage: Sequence[UsageCount], votes: int) -> GenerationStatisticsPayload:
    """Return the part of GET /feedback/stats that is about generations; `votes` are those on satisfaction with them."""
    total = UsageSum.sum(it.usage for it in usage)
    spans: dict[tuple[str, str], tuple[int, int]] = {}
    for it in usage:
        first, last = spans.get((it.prompt_id, it.model), (it.first_hour, it.last_hour))
        spans[it.prompt_id, it.model] = min(first, it.first_hour), max(last, it.last_hour)
    return {
        **_payload(total),
        "voted_share": share_of(votes, total),
        "over_time": [{"hour": iso(hour), **_payload(it)} for hour, it in usage_by(usage, lambda it: it.since).items()],
        "by_prompt": [
            {
                "prompt_id": prompt_id,
                "model": model,
                "first_used": iso(spans[prompt_id, model][0]),
                "last_used": iso(spans[prompt_id, model][1]),
                **_payload(it),
            }
            for (prompt_id, model), it in usage_by(usage, lambda it: (it.prompt_id, it.model)).items()
        ],
    }


def _payload(usage: UsageSum) -> UsagePayload:
    median = usage.first_token_median
    return {
        "total": usage.total,
        "completed": usage.completed,
        "failed": usage.failed,
        "stopped": usage.stopped,
        "compared": usage.compared,
        "votable": usage.votable,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "time_to_first_token_seconds": None if median is None else round(median, 3),
    }
