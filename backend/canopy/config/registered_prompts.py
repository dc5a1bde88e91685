"""Prompts that live in MLflow's registry: which ones the values name, and the config with their texts in place."""

from collections.abc import Mapping
from typing import NamedTuple

from canopy.config.summaries import Arm
from canopy.config.values import Values


class PromptSource(NamedTuple):
    """What the values name: a version, or else whatever version has the alias."""

    name: str
    version: int | None
    alias: str | None

    @property
    def reference(self) -> str:
        """As MLflow writes it: `summary/3` or `summary@champion`."""
        return f"{self.name}/{self.version}" if self.version is not None else f"{self.name}@{self.alias}"

    @property
    def newest(self) -> bool:
        """Whether it is the newest version, by the one alias that nobody sets in MLflow."""
        return self.alias is not None and self.alias.lower() == "latest"


class RegisteredPrompt(NamedTuple):
    """One version of a prompt, with its text."""

    name: str
    version: int
    text: str

    @property
    def reference(self) -> str:
        """`summary/3`."""
        return f"{self.name}/{self.version}"


def sources(values: Values) -> dict[Arm, PromptSource]:
    """Where the texts of both arms come from; empty where the values hold the texts themselves."""
    its = values.summarize
    if not its.mlflow_prompt:
        return {}
    return {
        "prompt": _source(its.mlflow_prompt, its.mlflow_prompt_version, its.mlflow_prompt_alias),
        "prompt_b": _source(its.mlflow_prompt, its.mlflow_prompt_b_version, its.mlflow_prompt_b_alias),
    }


def _source(name: str, version: int | str | None, otherwise: str) -> PromptSource:
    """What a version names: a number or an alias; without one it is that of the alias `otherwise`."""
    if isinstance(version, str) and version.isdecimal():
        version = int(version)
    if isinstance(version, int):
        return PromptSource(name, version, None)
    return PromptSource(name, None, version or otherwise)


def with_texts(
    values: Values, known: Mapping[PromptSource, RegisteredPrompt]
) -> tuple[Values, dict[Arm, RegisteredPrompt]]:
    """The values with the texts of the prompts that are known, and which versions those are.

    An arm whose prompt isn't known keeps the text that the values give it.
    """
    found = {arm: known[source] for arm, source in sources(values).items() if source in known}
    if not found:
        return values, {}
    texts: dict[str, str] = {arm: prompt.text for arm, prompt in found.items()}
    return values.model_copy(update={"summarize": values.summarize.model_copy(update=texts)}), found
