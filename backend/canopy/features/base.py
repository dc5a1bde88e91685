"""What a feature is."""

from collections.abc import Callable
from dataclasses import dataclass

from canopy.flags import Values
from canopy.flags.summaries import Arm
from canopy.prompts import Prompt


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
