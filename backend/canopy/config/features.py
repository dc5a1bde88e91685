"""Features: uses of the model, each with a prompt, a path, a flag and a page of its own, built from the values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from canopy.base.ratings import in_words
from canopy.config.feature_values import CHAT_SUFFIX, FeatureValues, Variant
from canopy.config.values import Values

BUILT_IN: Final = "summarize"
"""The feature that is always there, and the default where a client names none."""
BUILT_IN_ALIAS: Final = "summarization"
"""The built-in feature's name in today's workshop, whose clients and values Canopy takes as well."""
_INHERITED: Final = {"model", "prompt", "temperature", "max_tokens", "hide_thoughts"}


class VariantParameters(NamedTuple):
    """What a variant asks: its system prompt, the model's configured name, and the sampling parameters."""

    prompt: str
    model: str
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Feature:
    """Describes one mode of a feature under one set of values: single questions, or a conversation (`chat`).

    `name` is the mode's name in records, logs and metrics (`translate`, `translate_chat`); `flag` is the same for both
    modes. Clients may send either name in a vote. `section` is the feature's path in the values file (`summarize`,
    `features.translate`), `endpoint` the path of its route. Responses can become evaluation cases if `exported`. What
    ends in `_b` is variant B's, and only what the values say of it.
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
    model_b: str | None
    temperature_b: float | None
    max_tokens_b: int | None
    hide_thoughts: bool

    @property
    def chat(self) -> "Feature":
        """Return the conversation mode. It isn't exported: a turn has no meaning without the ones before it."""
        return replace(self, name=self.flag + CHAT_SUFFIX, endpoint=f"{self.endpoint}/chat", exported=False)

    @property
    def challenger(self) -> Mapping[str, str | float]:
        """Return what the values give variant B of its own, by the keys of A's: empty if there is no challenger."""
        given = {
            "prompt": self.prompt_b if self.prompt_b.strip() else None,
            "model": self.model_b,
            "temperature": self.temperature_b,
            "max_tokens": self.max_tokens_b,
        }
        return {key: value for key, value in given.items() if value is not None}

    def variant(self, name: Variant) -> VariantParameters:
        """Return what a variant asks. What B has not of its own is A's."""
        a = VariantParameters(self.prompt, self.model, self.temperature, self.max_tokens)
        own: Mapping[str, Any] = {} if name == "prompt" else self.challenger
        return a._replace(**own)

    def key_of(self, name: Variant, key: str) -> str:
        """Return under which key of the values a variant's model or parameter stands, by the key of A's."""
        return f"{self.section}.{key}_b" if name == "prompt_b" and key in self.challenger else f"{self.section}.{key}"

    def prompt_of_variant(self, name: Variant) -> Variant:
        """Return which prompt a variant asks with: B may have A's."""
        return name if "prompt" in self.challenger else "prompt"


def features_of(values: Values, section: str = BUILT_IN) -> dict[str, Feature]:
    """Return both modes of every feature by name, enabled or not: the built-in feature first, then by name.

    `section` is the key of the built-in feature in the file: `summarize`, or `summarization`, its other name.
    """
    parameters = values.summary_parameters
    built_in = Feature(
        name=BUILT_IN,
        flag=BUILT_IN,
        title="Summarization",
        section=section,
        endpoint=f"/{BUILT_IN}",
        exported=True,
        enabled=values.summarize.enabled,
        model=values.summarize.model,
        prompt=parameters.prompt,
        prompt_b=parameters.prompt_b,
        temperature=parameters.temperature,
        max_tokens=parameters.max_tokens,
        model_b=values.summarize.model_b,
        temperature_b=values.summarize.temperature_b,
        max_tokens_b=values.summarize.max_tokens_b,
        hide_thoughts=values.summarize.hide_thoughts,
    )
    features = [built_in, *(_of_block(name, block, built_in) for name, block in sorted(values.features.items()))]
    return {mode.name: mode for feature in features for mode in (feature, feature.chat)}


def with_answering_models(feature: Feature, values: Values) -> Feature:
    """Return a feature with the models that answer in place of the configured names, as records have them."""
    model_b = None if feature.model_b is None else values.answering_model(feature.model_b)
    return replace(feature, model=values.answering_model(feature.model), model_b=model_b)


def canonical_name(name: str) -> str:
    """Return Canopy's own name of a feature that may be named by the alias."""
    return BUILT_IN if name == BUILT_IN_ALIAS else name


def is_conversation(name: str) -> bool:
    """Return whether this names a feature's conversation mode. The feature need not exist any more."""
    return name.endswith(CHAT_SUFFIX)


def flag_of(name: str) -> str:
    """Return the name that both modes of a feature share, given either. The feature need not exist any more."""
    return name.removesuffix(CHAT_SUFFIX)


def title_of(name: str, features: Mapping[str, Feature]) -> str:
    """Return the title of a feature, given the name of either mode; of a removed feature, its name in words."""
    flag = flag_of(name)
    return features[flag].title if flag in features else in_words(flag)


def modes_of(name: str) -> frozenset[str]:
    """Return the names of both modes of a feature, given either. The feature need not exist any more."""
    flag = flag_of(name)
    return frozenset({flag, flag + CHAT_SUFFIX})


def _of_block(name: str, block: FeatureValues, built_in: Feature) -> Feature:
    """Return the feature that a block defines. Parameters of A that it leaves unset are the built-in feature's."""
    own = block.model_dump(include=_INHERITED, exclude_none=True)
    return replace(
        built_in,
        name=name,
        flag=name,
        title=block.title or in_words(name),
        section=f"features.{name}",
        endpoint=f"/{name}",
        enabled=block.enabled,
        **own,
        prompt_b=block.prompt_b,
        model_b=block.model_b,
        temperature_b=block.temperature_b,
        max_tokens_b=block.max_tokens_b,
    )
