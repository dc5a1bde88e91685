"""Prompts that live in MLflow's registry: which ones the values name, and the config with their texts in place."""

from collections.abc import Mapping
from typing import NamedTuple

from canopy.flags.values import Arm, Values


class PromptSource(NamedTuple):
    """What the values name: a version, or else whatever version has the alias."""

    name: str
    version: int | None
    alias: str | None

    @property
    def reference(self) -> str:
        """As MLflow writes it: `summary/3` or `summary@champion`."""
        return f"{self.name}/{self.version}" if self.version is not None else f"{self.name}@{self.alias}"


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
    summarize = values.summarize
    if not summarize.mlflow_prompt:
        return {}
    alias = summarize.mlflow_prompt_alias if summarize.mlflow_prompt_version is None else None
    return {
        "prompt": PromptSource(summarize.mlflow_prompt, summarize.mlflow_prompt_version, alias),
        "prompt_b": PromptSource(summarize.mlflow_prompt, None, summarize.mlflow_prompt_b_alias),
    }


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
