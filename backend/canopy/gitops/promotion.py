"""What a decision changes in a values file: the winner becomes the prompt of everybody, and the candidate goes.

The same functions make a change and check one that somebody else has made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from canopy.base.errors import ConfigError
from canopy.config.checking import chart_values, check, is_of_server
from canopy.config.features import BUILT_IN, BUILT_IN_ALIAS, Feature, features_of
from canopy.config.loading import config_of, parse_values
from canopy.config.registered_prompts import PromptSource, prompt_sources
from canopy.config.values import Values
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import ExperimentFacts
from canopy.gitops.values_edit import Move, Remove, Scalar, Set, ValueChange, edited
from canopy.stats.sequential import DecisionRule

type Kept = Literal["a", "b"]

_COMPARISONS = ("ab_testing", "enabled")


@dataclass(frozen=True, slots=True)
class ValuesFile:
    """A values file as it is, and one feature in it."""

    name: str  # for errors
    content: bytes
    feature: Feature
    others_comparing: tuple[str, ...]  # other features with a candidate
    rule: DecisionRule
    target_revision: str | None  # what Argo CD reads, where the file says it
    source: PromptSource | None  # of Prompt A, where MLflow's registry has it
    source_b: PromptSource | None
    mlflow_url: str | None

    @property
    def section(self) -> tuple[str, ...]:
        """Return the path of the feature's block."""
        return tuple(self.feature.section.split("."))


def read_values(content: bytes, name: str, feature: str) -> ValuesFile:
    """Read a values file of the chart or the server.

    Raises ConfigError, also where it has no such feature.
    """
    return values_of(parse_values(content), name, feature, content)


def values_of(document: Mapping[str, Any], name: str, feature: str, content: bytes = b"") -> ValuesFile:
    """Read values that are parsed already, as `read_values` does; without the `content` they can't be edited."""
    section = BUILT_IN_ALIAS if document.get(BUILT_IN_ALIAS) else BUILT_IN
    its_values = _as_read(document)
    features = features_of(its_values, section)
    if feature not in features:
        raise ConfigError(f"{name} has no feature `{feature}`: it is the values file of something else.")
    found = features[feature]
    others = [it.flag for it in features.values() if it.name == it.flag != found.flag and it.enabled and it.prompt_b]
    revision = document.get("target_revision")
    # As the records of what answers name it, and with them the experiment.
    found = replace(found, model=its_values.answering_model(found.model))
    sources, url = prompt_sources(its_values), its_values.mlflow.url
    return ValuesFile(
        name,
        content,
        found,
        tuple(others),
        its_values.ab_testing.decision_rule,
        revision if isinstance(revision, str) else None,
        sources.get((found.flag, "prompt")),
        sources.get((found.flag, "prompt_b")),
        None if url is None else str(url),
    )


def _as_read(document: Mapping[str, Any]) -> Values:
    """Return a file's values as the chart reads them; where it can't, and the file is the server's own, as that does.

    A laptop's file names no model server, as the chart's has to. Raises ConfigError.
    """
    try:
        return chart_values(document)
    except ConfigError:
        if not is_of_server(document):
            raise
        return config_of(document, "").values


def require_tested(values: ValuesFile, experiment: ExperimentFacts) -> None:
    """Raise ConfigError where the file doesn't say what the experiment has tested, or doesn't hold its prompts."""
    found, name = values.feature, values.name
    require_own_prompts(values)
    if not found.prompt_b:
        raise ConfigError(
            f"{name} has no candidate: `{found.section}.prompt_b` is not set, so there is nothing to change."
        )
    for key, text, tested in (
        ("prompt", found.prompt, experiment.prompt_id),
        ("prompt_b", found.prompt_b, experiment.prompt_b_id),
    ):
        if (own := prompt_of(text).id) != tested:
            raise ConfigError(
                f"`{found.section}.{key}` in {name} is another prompt ({own}) than the one that was tested ({tested}). "
                "Either the file has changed since, or the server runs other values: wait until both are the same."
            )
    require_parameters(values, experiment)


def require_parameters(values: ValuesFile, experiment: ExperimentFacts) -> None:
    """Raise ConfigError where the file says another model or other parameters than were tested."""
    found, name = values.feature, values.name
    parameters = (found.model, found.temperature, found.max_tokens)
    with_these = (experiment.model, experiment.temperature, experiment.max_tokens)
    for key, one, other in zip(("model", "temperature", "max_tokens"), parameters, with_these, strict=True):
        if one != other:
            raise ConfigError(f"`{found.section}.{key}` in {name} is {one}, and it was tested with {other}.")


def with_winner(values: ValuesFile, kept: Kept) -> bytes:
    """Return the file's content with one of both prompts for everybody, and no candidate. Raises ConfigError.

    Comparisons are switched off, unless another feature has a candidate that is being compared.
    """
    section = values.section
    if kept == "b":
        return _without_comparison(values, values.feature.prompt_b, Move((*section, "prompt"), "prompt_b"))
    return _without_comparison(values, values.feature.prompt, Remove((*section, "prompt_b")))


def with_prompt(values: ValuesFile, prompt: str) -> bytes:
    """Return the file's content with this prompt for everybody, and no candidate. Raises ConfigError."""
    section = values.section
    return _without_comparison(values, prompt, Set((*section, "prompt"), prompt), Remove((*section, "prompt_b")))


def with_candidate(
    values: ValuesFile, prompt_b: str, *, name: str | None = None, hypothesis: str | None = None
) -> bytes:
    """Return the file's content with a candidate that people compare. Raises ConfigError.

    A name and a hypothesis of the experiment before would be wrong ones: without new ones they go.
    """
    if prompt_b == values.feature.prompt:
        raise ConfigError("The candidate is the current prompt, to the letter: there is nothing to compare.")
    changes: list[ValueChange] = [Set((*values.section, "prompt_b"), prompt_b), Set(_COMPARISONS, True)]
    for key, words in (("name", name), ("hypothesis", hypothesis)):
        path = ("ab_testing", key)
        changes.append(Set(path, words) if words else Remove(path))
    return _checked(values, changes, prompt=values.feature.prompt, prompt_b=prompt_b)


def next_experiment(values: ValuesFile, prompt_b: str) -> str:
    """Return the id of the experiment that a candidate begins, or goes on with."""
    it = values.feature
    ids = prompt_of(it.prompt).id, prompt_of(prompt_b).id
    return experiment_id(*ids, it.model, it.temperature, it.max_tokens, it.name)


def _without_comparison(values: ValuesFile, prompt: str, *changes: ValueChange) -> bytes:
    """Make the changes, which lead to this prompt alone, and switch comparisons off where nobody else needs them."""
    end: list[ValueChange] = [] if values.others_comparing else [Set(_COMPARISONS, False)]
    return _checked(values, [*changes, *end], prompt=prompt, prompt_b="")


def _checked(values: ValuesFile, changes: list[ValueChange], **expected: Scalar) -> bytes:
    """Make the changes, and look at the result as the chart, the server and `canopy check-values` do."""
    require_own_prompts(values)
    content = edited(values.content, changes, values.name)
    check(content)
    became = read_values(content, values.name, values.feature.name).feature
    for key, value in expected.items():
        if getattr(became, key) != value:
            raise ConfigError(f"{values.name} would not say what it should: `{became.section}.{key}` would be another.")
    return content


def require_own_prompts(values: ValuesFile) -> None:
    """Raise ConfigError where MLflow's registry has the prompts: then no commit holds them."""
    if values.source is not None and values.source_b is not None:
        raise ConfigError(
            f"The prompts of `{values.feature.section}` are in MLflow's registry, so {values.name} doesn't hold them: "
            f"`{values.source.reference}` is Prompt A there, and `{values.source_b.reference}` Prompt B."
        )
