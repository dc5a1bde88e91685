"""What is moved in MLflow's registry for each form in which the values name a version, and what stops it."""

from dataclasses import dataclass, field

import pytest

from canopy.base.errors import ConfigError
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import ExperimentFacts, RegisteredVersion, RegistryFacts, Rule
from canopy.gitops.promotion import Kept, read_values
from canopy.gitops.registry_change import RegistryChange, planned, planned_back
from canopy.mlflow.prompt_aliases import PromptAliases

A, B, OTHER = "The champion.", "The challenger.", "Another."
HEAD = "LLAMA_STACK_URL: http://llama:8321\nmlflow: {enabled: true, url: 'http://mlflow:5000'}\n"
ID_A, ID_B = prompt_of(A).id, prompt_of(B).id
EXPERIMENT = ExperimentFacts(
    id=experiment_id(ID_A, ID_B, "llama32", 0.9, 4096), feature="summarize", created_at="2026-11-29T12:00:00Z",
    prompt_id=ID_A, prompt_b_id=ID_B, model="llama32", temperature=0.9, max_tokens=4096,
    rule=Rule(alpha=0.05, prior=10, delta=0.05, n_max=2000),
)  # fmt: skip


@dataclass
class Registry(PromptAliases):
    """A registry with the versions 1, 2 and 3, of which some calls fail."""

    aliases: dict[str, int]
    failing: set[str] = field(default_factory=set)

    def find(self, source: PromptSource) -> RegisteredPrompt | None:
        version = 3 if source.newest else source.version or self.aliases.get(source.alias or "")
        return None if version is None else RegisteredPrompt(source.name, version, (A, B, OTHER)[version - 1])

    def give(self, name: str, alias: str, version: int) -> None:  # noqa: ARG002 - the real one needs it
        if f"give {version}" in self.failing:
            raise ConfigError("MLflow answers with status 503.")
        self.aliases[alias] = version

    def take(self, name: str, alias: str) -> None:  # noqa: ARG002 - the same
        if "take" in self.failing:
            raise ConfigError("MLflow answers with status 503.")
        del self.aliases[alias]


def _plan(registry: Registry, kept: Kept, more: str = "") -> RegistryChange:
    text = f"{HEAD}summarize:\n  mlflow_prompt: summary\n{more}"
    return planned(read_values(text.encode(), "config.yaml", "summarize"), kept, EXPERIMENT, registry)


@pytest.mark.parametrize(
    ("more", "kept", "aliases", "became"),
    [
        ("", "b", {"champion": 1, "challenger": 2}, {"champion": 2}),
        ("", "a", {"champion": 1, "challenger": 2}, {"champion": 1}),
        (
            "  mlflow_prompt_version: live\n  mlflow_prompt_b_version: '2'\n",
            "b",
            {"live": 1, "x": 1},
            {"live": 2, "x": 1},
        ),
        ("  mlflow_prompt_version: 1\n", "a", {"challenger": 2}, {}),
    ],
)
def test_aliases_move_and_nothing_else_does(
    more: str, kept: Kept, aliases: dict[str, int], became: dict[str, int]
) -> None:
    registry = Registry(aliases)
    change = _plan(registry, kept, more)
    assert registry.aliases == aliases
    change.make()
    assert registry.aliases == became
    assert (change.facts.before.prompt_id, change.facts.after.prompt_id) == (ID_A, ID_B if kept == "b" else ID_A)


@pytest.mark.parametrize(
    ("more", "kept", "aliases", "sentence"),
    [
        ("", "b", {"challenger": 2}, "has no `summary@champion`, which config.yaml names"),
        ("", "b", {"champion": 1}, "Prompt B isn't: there is no `summary@challenger`"),
        ("  prompt_b: Be brief.\n", "b", {"champion": 1}, "Prompt B isn't"),
        ("  prompt_b: Be brief.\n", "b", {"champion": 1, "challenger": 2}, "would be compared next"),
        ("", "b", {"champion": 2, "challenger": 2}, "leads to version 2 already, which is Prompt B"),
        ("", "b", {"champion": 3, "challenger": 2}, "`summary@champion` in MLflow's registry leads to another prompt"),
        (
            "",
            "a",
            {"champion": 1, "challenger": 3},
            "`summary@challenger` in MLflow's registry leads to another prompt",
        ),
        ("  temperature: 0.1\n", "b", {"champion": 1, "challenger": 2}, "`summarize.temperature`"),
        ("  mlflow_prompt_version: 1\n", "b", {"challenger": 2}, "Write `mlflow_prompt_version: 2` there"),
        ("  mlflow_prompt_version: 1\n  mlflow_prompt_b_version: 2\n", "a", {}, "which no alias can end"),
        ("  mlflow_prompt_version: latest\n", "b", {"challenger": 2}, "leads to another prompt"),
    ],
)
def test_what_can_not_be_done_by_an_alias_is_said(
    more: str, kept: Kept, aliases: dict[str, int], sentence: str
) -> None:
    registry = Registry(dict(aliases))
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        _plan(registry, kept, more)
    assert registry.aliases == aliases


def test_a_failure_leaves_the_aliases_as_they_were_or_says_how_to_finish() -> None:
    for failing, became, sentence in (
        ({"give 2"}, {"champion": 1, "challenger": 2}, "503"),
        ({"take"}, {"champion": 1, "challenger": 2}, "503"),
        ({"take", "give 1"}, {"champion": 2, "challenger": 2}, "set it to 1 in MLflow"),
    ):
        registry = Registry({"champion": 1, "challenger": 2}, failing)
        with pytest.raises(ConfigError, match=sentence):
            _plan(registry, "b").make()
        assert registry.aliases == became


def test_only_what_was_promoted_is_taken_back() -> None:
    text = f"{HEAD}summarize: {{mlflow_prompt: summary}}\n"
    values = read_values(text.encode(), "config.yaml", "summarize")
    one, two = RegisteredVersion(version=1, prompt_id=ID_A), RegisteredVersion(version=2, prompt_id=ID_B)
    promoted = RegistryFacts(prompt="summary", alias="champion", before=one, after=two, removed="challenger")
    registry = Registry({"champion": 2})
    planned_back(values, promoted, registry).make()
    assert registry.aliases == {"champion": 1}
    for aliases, other, sentence in (
        ({"champion": 3}, promoted, "leads to version 3 by now"),
        ({}, promoted, "is gone"),
        ({"champion": 2}, promoted.model_copy(update={"alias": "live"}), "`summary@live` was promoted"),
        (
            {"champion": 2},
            promoted.model_copy(update={"before": one.model_copy(update={"prompt_id": "sha256:x"})}),
            "isn't the text",
        ),
    ):
        with pytest.raises(ConfigError, match=sentence):
            planned_back(values, other, Registry(aliases))
