"""Prompts in MLflow's registry: finds the references in the values, and puts the texts in their place."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from canopy.config.feature_values import PromptedValues, Variant
from canopy.config.features import BUILT_IN
from canopy.config.values import Values

# A feature's name and one of its variants.
type FeatureVariant = tuple[str, Variant]


class PromptSource(NamedTuple):
    """A reference to a prompt in the registry, by version or by alias; the other of the two is None."""

    name: str
    version: int | None
    alias: str | None

    @property
    def reference(self) -> str:
        """Return the reference as MLflow writes it: `summary/3` or `summary@champion`."""
        return f"{self.name}/{self.version}" if self.version is not None else f"{self.name}@{self.alias}"

    @property
    def newest(self) -> bool:
        """Return whether the alias is `latest`, which nobody sets: MLflow itself resolves it to the newest version."""
        return self.alias is not None and self.alias.lower() == "latest"


class RegisteredPrompt(NamedTuple):
    """One version of a prompt in the registry, with its text."""

    name: str
    version: int
    text: str

    @property
    def reference(self) -> str:
        """Return the reference as MLflow writes it: `summary/3`."""
        return f"{self.name}/{self.version}"


def prompt_sources(values: Values) -> dict[FeatureVariant, PromptSource]:
    """Return the reference of each variant whose prompt is in the registry."""
    found: dict[FeatureVariant, PromptSource] = {}
    for feature, block in _blocks(values).items():
        if name := block.mlflow_prompt:
            found[feature, "prompt"] = _source(name, block.mlflow_prompt_version, block.mlflow_prompt_alias)
            found[feature, "prompt_b"] = _source(name, block.mlflow_prompt_b_version, block.mlflow_prompt_b_alias)
    return found


def optional_prompt_sources(values: Values) -> set[PromptSource]:
    """Return the references that may be missing in the registry without an error.

    They are those of variant B without an explicit version, unless another variant uses the same reference.
    """
    blocks = _blocks(values)
    found: dict[bool, set[PromptSource]] = {True: set(), False: set()}
    for (feature, variant), source in prompt_sources(values).items():
        found[variant == "prompt_b" and blocks[feature].mlflow_prompt_b_version is None].add(source)
    return found[True] - found[False]


def with_registered_texts(
    values: Values, known: Mapping[PromptSource, RegisteredPrompt]
) -> tuple[Values, dict[FeatureVariant, RegisteredPrompt]]:
    """Return the values with the texts of known prompts, and the version that each variant has.

    A variant whose prompt isn't known keeps its text.
    """
    found = {place: known[source] for place, source in prompt_sources(values).items() if source in known}
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
    """Return every feature's section by the feature's name."""
    return {BUILT_IN: values.summarize, **values.features}


def _source(name: str, version: int | str | None, alias: str) -> PromptSource:
    """Return the reference to `version`, a number or an alias; without one, to `alias`."""
    if isinstance(version, str) and version.isdecimal():
        version = int(version)
    if isinstance(version, int):
        return PromptSource(name, version, None)
    return PromptSource(name, None, version or alias)
