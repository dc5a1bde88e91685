"""Prompts that live in MLflow's registry: which ones the values name, and the values with their texts in place."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from canopy.config.features import BUILT_IN
from canopy.config.summaries import PromptedValues, Variant
from canopy.config.values import Values

# A feature, by the name of its block in the values, and one of its prompts.
type FeatureVariant = tuple[str, Variant]


class PromptSource(NamedTuple):
    """Names a prompt in the registry: one version of it, or else whatever version has the alias."""

    name: str
    version: int | None
    alias: str | None

    @property
    def reference(self) -> str:
        """Return the name in MLflow's own form: `summary/3` or `summary@champion`."""
        return f"{self.name}/{self.version}" if self.version is not None else f"{self.name}@{self.alias}"

    @property
    def newest(self) -> bool:
        """Return whether this names the newest version, by the one alias that nobody sets in MLflow."""
        return self.alias is not None and self.alias.lower() == "latest"


class RegisteredPrompt(NamedTuple):
    """Holds one version of a prompt in the registry, with its text."""

    name: str
    version: int
    text: str

    @property
    def reference(self) -> str:
        """Return the name in MLflow's own form: `summary/3`."""
        return f"{self.name}/{self.version}"


def sources(values: Values) -> dict[FeatureVariant, PromptSource]:
    """Return where each feature's prompts come from; empty where the values hold all texts themselves."""
    found: dict[FeatureVariant, PromptSource] = {}
    for feature, block in _blocks(values).items():
        if name := block.mlflow_prompt:
            found[feature, "prompt"] = _source(name, block.mlflow_prompt_version, block.mlflow_prompt_alias)
            found[feature, "prompt_b"] = _source(name, block.mlflow_prompt_b_version, block.mlflow_prompt_b_alias)
    return found


def optional_sources(values: Values) -> set[PromptSource]:
    """Return the sources that the registry needn't have: challengers alone, whose version the values don't name."""
    blocks = _blocks(values)
    named: dict[bool, set[PromptSource]] = {True: set(), False: set()}
    for (feature, variant), source in sources(values).items():
        named[variant == "prompt_b" and blocks[feature].mlflow_prompt_b_version is None].add(source)
    return named[True] - named[False]


def with_texts(
    values: Values, known: Mapping[PromptSource, RegisteredPrompt]
) -> tuple[Values, dict[FeatureVariant, RegisteredPrompt]]:
    """Return the values with the texts of the prompts that are known, and which versions those are.

    A variant whose prompt isn't known keeps the text that the values give it.
    """
    found = {place: known[source] for place, source in sources(values).items() if source in known}
    texts: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for (feature, variant), prompt in found.items():
        texts[feature][variant] = prompt.text
    blocks: dict[str, Any] = {
        feature: block.model_copy(update=texts[feature])
        for feature, block in _blocks(values).items()
        if feature in texts
    }
    if not blocks:
        return values, found
    built_in = {BUILT_IN: blocks.pop(BUILT_IN)} if BUILT_IN in blocks else {}
    return values.model_copy(update={**built_in, "features": {**values.features, **blocks}}), found


def _blocks(values: Values) -> dict[str, PromptedValues]:
    """Return the blocks of the values that may name prompts of the registry, by feature."""
    return {BUILT_IN: values.summarize, **values.features}


def _source(name: str, version: int | str | None, otherwise: str) -> PromptSource:
    """Return what a version names: a number or an alias; without one it is that of the alias `otherwise`."""
    if isinstance(version, str) and version.isdecimal():
        version = int(version)
    if isinstance(version, int):
        return PromptSource(name, version, None)
    return PromptSource(name, None, version or otherwise)
