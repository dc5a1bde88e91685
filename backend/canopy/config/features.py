"""The features that the values make: each a use of the model with its own prompt, address, flag and page."""

from dataclasses import dataclass, replace
from typing import Final

from canopy.base.ratings import in_words
from canopy.config.summaries import CHAT_SUFFIX, FeatureValues, Variant
from canopy.config.values import Values

BUILT_IN: Final = "summarize"
"""The feature that every Canopy has, and that clients mean who name none."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A use of the model, as the values in force describe it. It isn't kept when they change.

    `name` stands in records, logs and metrics. A feature has two modes, one question and a conversation (`chat`), with
    names of their own under one `flag`: clients may name either in a vote on its responses. `section` is where the
    values file has it (`summarize`, `features.translate`), `endpoint` where clients ask. `exported` responses can
    become evaluation cases.
    """

    name: str
    flag: str
    title: str
    section: str
    endpoint: str
    exported: bool
    enabled: bool
    model: str
    prompt: str
    prompt_b: str
    temperature: float
    max_tokens: int
    hide_thoughts: bool

    @property
    def chat(self) -> "Feature":
        """The same as a conversation, which means nothing without what was said: it makes no evaluation case."""
        return replace(self, name=self.flag + CHAT_SUFFIX, endpoint=f"{self.endpoint}/chat", exported=False)

    def text(self, variant: Variant) -> str:
        """The text of one of its prompts."""
        return self.prompt if variant == "prompt" else self.prompt_b


def features_of(values: Values, section: str = BUILT_IN) -> dict[str, Feature]:
    """Every mode of every feature by its name, the built-in one first, then by name; those that are off, too.

    `section` is the name under which the file has the built-in feature.
    """
    asked = values.asked
    built_in = Feature(
        name=BUILT_IN,
        flag=BUILT_IN,
        title="Summarization",
        section=section,
        endpoint=f"/{BUILT_IN}",
        exported=True,
        enabled=values.summarize.enabled,
        model=values.summarize.model,
        prompt=asked.prompt,
        prompt_b=asked.prompt_b,
        temperature=asked.temperature,
        max_tokens=asked.max_tokens,
        hide_thoughts=values.summarize.hide_thoughts,
    )
    found = [built_in, *(_of_block(name, block, built_in) for name, block in sorted(values.features.items()))]
    return {mode.name: mode for feature in found for mode in (feature, feature.chat)}


def is_conversation(name: str) -> bool:
    """Whether this is a feature's name as a conversation; also of one that is gone."""
    return name.endswith(CHAT_SUFFIX)


def modes_of(name: str) -> frozenset[str]:
    """The names of all modes of the feature that has one of this name; also of one that is gone."""
    flag = name.removesuffix(CHAT_SUFFIX)
    return frozenset({flag, flag + CHAT_SUFFIX})


def _of_block(name: str, block: FeatureValues, built_in: Feature) -> Feature:
    """The feature of a block, with the built-in one's parameters where the block leaves them open."""
    said = block.model_dump(
        include={"model", "prompt", "prompt_b", "temperature", "max_tokens", "hide_thoughts"}, exclude_none=True
    )
    return replace(
        built_in,
        name=name,
        flag=name,
        title=block.title or in_words(name),
        section=f"features.{name}",
        endpoint=f"/{name}",
        enabled=block.enabled,
        **{"prompt_b": "", **said},
    )
