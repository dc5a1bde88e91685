"""What a decision changes in a values file: the winner becomes the variant of everybody, and the candidate goes.

The same functions make a change and check one that somebody else has made.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from canopy.base.errors import ConfigError
from canopy.config.checking import chart_values, check, is_of_server
from canopy.config.feature_values import VARIANTS
from canopy.config.features import BUILT_IN, BUILT_IN_ALIAS, Feature, features_of, with_answering_models
from canopy.config.flags import differences
from canopy.config.loading import config_of, parse_values
from canopy.config.registered_prompts import PromptSource, prompt_sources
from canopy.config.values import Values
from canopy.experiments.assignment import experiment_id, experiment_parameters
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import ExperimentFacts
from canopy.gitops.values_edit import Move, Remove, Set, ValueChange, edited
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import PARAMETERS

type Kept = Literal["a", "b"]

type Challenger = Mapping[str, str | float]
"""What a candidate has of its own, by A's keys: `prompt`, `model`, `temperature`, `max_tokens`."""

_COMPARISONS = ("ab_testing", "enabled")
_KEYS = ("prompt", *PARAMETERS)  # of A; B's end in `_b`


@dataclass(frozen=True, slots=True)
class ValuesFile:
    """A values file as it is, and one feature in it."""

    name: str  # for errors
    content: bytes
    values: Values  # all of them
    feature: Feature  # with the models that answer, as the records and the experiment name them
    given: Mapping[str, Any]  # what its block in the file says itself
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
    others = [it.flag for it in features.values() if it.name == it.flag != found.flag and it.enabled and it.challenger]
    revision = document.get("target_revision")
    sources, url = prompt_sources(its_values), its_values.mlflow.url
    return ValuesFile(
        name,
        content,
        its_values,
        with_answering_models(found, its_values),
        _block(document, found.section.split(".")),
        tuple(others),
        its_values.ab_testing.decision_rule,
        revision if isinstance(revision, str) else None,
        sources.get((found.flag, "prompt")),
        sources.get((found.flag, "prompt_b")),
        None if url is None else str(url),
    )


def _block(document: Any, path: Collection[str]) -> Mapping[str, Any]:
    """Return what a file says in a block, which may be missing."""
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}


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
    if not found.challenger:
        missing = " and ".join(f"`{found.section}.{key}_b`" for key in experiment.differing)
        raise ConfigError(f"{name} has no candidate: {missing} is not set, so there is nothing to change.")
    for variant, tested in zip(VARIANTS, (experiment.prompt_id, experiment.prompt_b_id), strict=True):
        if (own := prompt_of(found.variant(variant).prompt).id) != tested:
            raise ConfigError(
                f"`{found.section}.{variant}` in {name} is another prompt ({own}) than the one that was tested "
                f"({tested}). Either the file has changed since, or the server runs other values: wait until both are "
                "the same."
            )
    require_parameters(values, experiment)


def require_parameters(values: ValuesFile, experiment: ExperimentFacts) -> None:
    """Raise ConfigError where the file gives a variant another model or other parameters than were tested."""
    found, name = values.feature, values.name
    of_a = {key: getattr(experiment, key) for key in PARAMETERS}
    for variant, tested in zip(VARIANTS, (of_a, of_a | experiment.own_of_b), strict=True):
        for key, other in tested.items():
            one = getattr(found.variant(variant), key)
            if one != other:
                its = f"{key}_b" if variant == "prompt_b" and key in {*found.challenger, *experiment.own_of_b} else key
                raise ConfigError(f"`{found.section}.{its}` in {name} is {one}, and it was tested with {other}.")


def with_winner(values: ValuesFile, kept: Kept) -> bytes:
    """Return the file's content with one of both variants for everybody, and no candidate. Raises ConfigError.

    Comparisons are switched off, unless another feature has a candidate that is being compared.
    """
    its = values.feature.variant("prompt_b" if kept == "b" else "prompt")
    own = values.feature.challenger if kept == "b" else {}
    moved = [Move((*values.section, key), f"{key}_b") for key in _KEYS if key in own]
    return _without_comparison(values, its._asdict(), *moved)


def with_former(values: ValuesFile, former: ValuesFile, keys: Collection[str]) -> bytes:
    """Return the file's content with what it said before under these keys for everybody, and no candidate.

    Raises ConfigError.
    """
    changes: list[ValueChange] = []
    expected: dict[str, Any] = {}
    for key in (it for it in _KEYS if it in keys):
        said, meant = former.given.get(key), getattr(former.feature, key)
        if said is None and key != "prompt":
            changes.append(Remove((*values.section, key)))
        else:
            changes.append(Set((*values.section, key), meant if said is None else said))
            expected[key] = meant
    return _without_comparison(values, expected, *changes)


def with_candidate(
    values: ValuesFile, candidate: Challenger, *, name: str | None = None, hypothesis: str | None = None
) -> bytes:
    """Return the file's content with a candidate that people compare. Raises ConfigError.

    A name and a hypothesis of the experiment before would be wrong ones: without new ones they go.
    """
    became = _with(values, candidate)
    if not differences(became, values.values):
        if [*candidate] == ["prompt"]:
            raise ConfigError("The candidate is the current prompt, to the letter: there is nothing to compare.")
        raise ConfigError(
            "The candidate is what is in force, or answers like it: there is nothing to compare."
            + ("" if values.values.LLAMA_STACK_URL else f" {values.name} names no model server, where models differ.")
        )
    changes: list[ValueChange] = [
        Set((*values.section, f"{key}_b"), candidate[key])
        if key in candidate
        else Remove((*values.section, f"{key}_b"))
        for key in _KEYS
    ]
    changes.append(Set(_COMPARISONS, True))
    for key, words in (("name", name), ("hypothesis", hypothesis)):
        path = ("ab_testing", key)
        changes.append(Set(path, words) if words else Remove(path))
    return _checked(values, changes, values.feature.variant("prompt")._asdict(), became.challenger)


def words_of_others(values: ValuesFile, *, name: str | None, hypothesis: str | None) -> list[str]:
    """Return what a candidate's words take the place of where experiments of other features have them: their keys."""
    given, it = {"name": name, "hypothesis": hypothesis}, values.values.ab_testing
    return [
        f"ab_testing.{key}"
        for key, words in given.items()
        if values.others_comparing and getattr(it, key) and getattr(it, key) != words
    ]


def next_experiment(values: ValuesFile, candidate: Challenger) -> str:
    """Return the id of the experiment that a candidate begins, or goes on with."""
    it = _with(values, candidate)
    a, b = (prompt_of(it.variant(variant).prompt) for variant in VARIANTS)
    return experiment_id(a.id, b.id, feature=it.name, **experiment_parameters(it))


def _with(values: ValuesFile, candidate: Challenger) -> Feature:
    """Return the feature with a candidate in the place of the one that it may have."""
    own: dict[str, Any] = {f"{key}_b": candidate.get(key) for key in PARAMETERS}
    prompt_b = str(candidate.get("prompt", ""))
    return with_answering_models(replace(values.feature, prompt_b=prompt_b, **own), values.values)


def _without_comparison(values: ValuesFile, expected: Mapping[str, Any], *changes: ValueChange) -> bytes:
    """Make the changes, which lead to this variant alone, and switch comparisons off where nobody else needs them."""
    end: list[ValueChange] = [Remove((*values.section, f"{key}_b")) for key in _KEYS]
    if not values.others_comparing:
        end.append(Set(_COMPARISONS, False))
    return _checked(values, [*changes, *end], expected, {})


def _checked(
    values: ValuesFile, changes: list[ValueChange], expected: Mapping[str, Any], challenger: Challenger
) -> bytes:
    """Make the changes, and look at the result as the chart, the server and `canopy check-values` do."""
    require_own_prompts(values)
    content = edited(values.content, changes, values.name)
    check(content)
    became = read_values(content, values.name, values.feature.name).feature
    found = became.variant("prompt")._asdict() | {f"{key}_b": value for key, value in became.challenger.items()}
    wanted = {**expected} | {f"{key}_b": challenger.get(key) for key in _KEYS}
    for key, value in wanted.items():
        if found.get(key) != value:
            raise ConfigError(f"{values.name} would not say what it should: `{became.section}.{key}` would be another.")
    return content


def require_own_prompts(values: ValuesFile) -> None:
    """Raise ConfigError where MLflow's registry has the prompts: then no commit holds them."""
    if values.source is not None and values.source_b is not None:
        raise ConfigError(
            f"The prompts of `{values.feature.section}` are in MLflow's registry, so {values.name} doesn't hold them: "
            f"`{values.source.reference}` is Prompt A there, and `{values.source_b.reference}` Prompt B."
        )
