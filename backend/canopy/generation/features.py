"""What Canopy does for a user, as data: one line for each feature."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from canopy.config.summaries import Arm
from canopy.config.values import Values
from canopy.generation.prompts import Prompt, prompt


@dataclass(frozen=True, slots=True)
class Feature:
    """A use of the model, with everything that differs from one feature to the next.

    `name` stands in records, logs and metrics; `flag` switches it; `prompt`, `model`, `temperature`, `max_tokens`
    and `hide_thoughts` read the values that are in force when a generation starts. `exported` features can become
    evaluation tests. Features under one flag are one to clients, which may name either in a vote on its responses.
    """

    name: str
    flag: str
    title: str
    endpoint: str
    exported: bool
    prompt: Callable[[Values, Arm], Prompt]
    model: Callable[[Values], str]
    temperature: Callable[[Values], float]
    max_tokens: Callable[[Values], int]
    hide_thoughts: Callable[[Values], bool]


_SUMMARIZE = Feature(
    name="summarize",
    flag="summarize",
    title="Summarization",
    endpoint="/summarize",
    exported=True,
    prompt=lambda values, arm: prompt(getattr(values.asked, arm)),
    model=lambda values: values.summarize.model,
    temperature=lambda values: values.asked.temperature,
    max_tokens=lambda values: values.asked.max_tokens,
    hide_thoughts=lambda values: values.summarize.hide_thoughts,
)

# A follow-up means nothing without its conversation, so it can't become a test of one prompt and one answer.
CHAT = replace(_SUMMARIZE, name="summarize_chat", endpoint="/summarize/chat", exported=False)

FEATURES: dict[str, Feature] = {feature.name: feature for feature in (_SUMMARIZE, CHAT)}


def same_to_clients(name: str) -> frozenset[str]:
    """The names of the features that clients may mean by one of them. Raises KeyError for a name of none."""
    flag = FEATURES[name].flag
    return frozenset(feature.name for feature in FEATURES.values() if feature.flag == flag)
