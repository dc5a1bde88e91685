"""What a decision changes where MLflow's registry has the prompts: an alias leads to another version.

The values name the prompt of a feature, and for each variant a version or an alias. Only an alias can be moved, so what
the values name by a number stays theirs to change. The same functions plan a change and check one from its evidence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from canopy.base.errors import ConfigError
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import ExperimentFacts, Promotion, RegisteredVersion, RegistryFacts
from canopy.gitops.promotion import Kept, ValuesFile, require_parameters
from canopy.gitops.recomputation import Checked
from canopy.mlflow.prompt_aliases import PromptAliases


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """A change that `facts` describe, not made yet."""

    facts: RegistryFacts
    aliases: PromptAliases

    def make(self) -> None:
        """Move the alias, and take that of Prompt B away. Raises ConfigError, after which all is as it was.

        Where that can't be told, or couldn't be brought about, the sentence says so.
        """
        it = self.facts
        moves = it.alias is not None and it.before != it.after
        if moves:
            self.aliases.give(it.prompt, it.alias or "", it.after.version)
        if it.removed is None:
            return
        try:
            self.aliases.take(it.prompt, it.removed)
        except ConfigError as error:
            if not moves:
                raise
            try:
                self.aliases.give(it.prompt, it.alias or "", it.before.version)
            except ConfigError:
                left = f"`{it.prompt}@{it.alias}` leads to version {it.after.version} already"
                raise ConfigError(
                    f"{error.sentence} {left}, and could not be set back: set it to {it.before.version} in MLflow."
                ) from error
            raise

    def lines(self) -> Iterator[str]:
        """Yield what changes, as lines of a diff."""
        it = self.facts
        if it.before != it.after:
            for sign, version in (("-", it.before), ("+", it.after)):
                yield f"{sign}{it.prompt}@{it.alias}: version {version.version} ({version.prompt_id})"
        if it.removed:
            yield f"-{it.prompt}@{it.removed}"


def planned(values: ValuesFile, kept: Kept, experiment: ExperimentFacts, aliases: PromptAliases) -> RegistryChange:
    """Return the change that makes one of both prompts everybody's. Raises ConfigError where it can't be made."""
    source, source_b = _sources(values)
    now, candidate = aliases.find(source), aliases.find(source_b)
    if now is None:
        raise ConfigError(f"MLflow's registry has no `{source.reference}`, which {values.name} names. Set the alias.")
    if _version(now).prompt_id == experiment.prompt_b_id:
        raise ConfigError(
            f"`{source.reference}` leads to version {now.version} already, which is Prompt B. To have the evidence of "
            "it, let the alias lead to Prompt A again, and promote then."
        )
    if candidate is None:
        raise ConfigError(
            f"Prompt A is in MLflow's registry and Prompt B isn't: there is no `{source_b.reference}`. Register Prompt "
            "B's text there as a version with that alias, or bring the change about by hand."
        )
    for reference, found, tested in (
        (source.reference, now, experiment.prompt_id),
        (source_b.reference, candidate, experiment.prompt_b_id),
    ):
        if (own := _version(found).prompt_id) != tested:
            raise ConfigError(
                f"`{reference}` in MLflow's registry leads to another prompt ({own}) than the one that was tested "
                f"({tested}). Either it has been moved since, or the server has not seen it yet."
            )
    require_parameters(values, experiment)
    if experiment.own_of_b:
        keys = " and ".join(f"`{values.feature.section}.{key}_b`" for key in experiment.own_of_b)
        raise ConfigError(
            f"Prompts are in MLflow's registry, and {keys} in {values.name}: one promotion can't change both places. "
            "Bring them about by hand, or compare one after the other."
        )
    if values.feature.prompt_b and _own_alias(source_b):
        raise ConfigError(
            f"`{values.feature.section}.prompt_b` in {values.name} would be compared next, once the alias "
            f"`{source_b.alias}` is gone. Take it out first."
        )
    if kept == "a" and not _own_alias(source_b):
        raise ConfigError(
            f"{values.name} names Prompt B as `{source_b.reference}`, which no alias can end: take "
            f"`{values.feature.section}.mlflow_prompt_b_version` out of it, or set `ab_testing.enabled: false`."
        )
    if kept == "b" and not _own_alias(source):
        raise ConfigError(
            f"{values.name} names Prompt A as `{source.reference}`, so there is no alias to move. Write "
            f"`mlflow_prompt_version: {candidate.version}` there, or name an alias such as `champion`."
        )
    facts = RegistryFacts(
        prompt=source.name,
        alias=source.alias,
        before=_version(now),
        after=_version(candidate if kept == "b" else now),
        removed=source_b.alias if _own_alias(source_b) else None,
    )
    return RegistryChange(facts, aliases)


def planned_back(values: ValuesFile, promoted: RegistryFacts, aliases: PromptAliases) -> RegistryChange:
    """Return the change that takes a promotion back. Raises ConfigError where the alias was moved on since."""
    source, _ = _sources(values)
    if (source.name, source.alias) != (promoted.prompt, promoted.alias):
        raise ConfigError(
            f"{values.name} names `{source.reference}` by now, and `{promoted.prompt}@{promoted.alias}` was promoted."
        )
    now = aliases.find(source)
    if now is None or _version(now) != promoted.after:
        where = "is gone" if now is None else f"leads to version {now.version} by now"
        raise ConfigError(
            f"`{source.reference}` {where}, and not to version {promoted.after.version}, which was promoted: there is "
            "nothing to take back."
        )
    former = aliases.find(PromptSource(promoted.prompt, promoted.before.version, None))
    if former is None or _version(former) != promoted.before:
        raise ConfigError(
            f"Version {promoted.before.version} of `{promoted.prompt}` in MLflow's registry isn't the text that it was "
            "before the promotion."
        )
    facts = promoted.model_copy(update={"before": promoted.after, "after": promoted.before, "removed": None})
    return RegistryChange(facts, aliases)


def check_registry(values: ValuesFile, predicate: Promotion, facts: RegistryFacts) -> Iterator[Checked]:
    """Look at what the evidence says of the registry: what MLflow has now nobody is asked."""
    it, source, source_b = predicate.experiment, values.source, values.source_b
    if source is None or source_b is None:
        yield Checked(False, f"{values.name} names no prompt of MLflow's registry, of which the evidence tells.")
        return
    reference = f"{facts.prompt}@{facts.alias}" if facts.alias else source.reference
    named = source.name == facts.prompt and source.alias == facts.alias
    yield Checked(named, f"{values.name} names {source.reference}, the evidence is about {reference}.")
    versions = f"{facts.before.version} to {facts.after.version}"
    ids = facts.before.prompt_id, facts.after.prompt_id
    wanted = {
        "promote": (it.prompt_id, it.prompt_b_id),
        "keep": (it.prompt_id, it.prompt_id),
        "rollback": (it.prompt_b_id, it.prompt_id),
    }[predicate.action]
    moved = ids == wanted and (facts.before == facts.after) == (predicate.action == "keep")
    yield Checked(
        moved, f"It went from version {versions}, which are {'' if moved else 'not '}the prompts that it says."
    )
    removed = source_b.alias if predicate.action != "rollback" and _own_alias(source_b) else None
    yield Checked(
        removed == facts.removed,
        f"Of Prompt B the alias {facts.removed or 'none'} went{_expected(removed, facts.removed)}.",
    )
    if predicate.action != "rollback":
        require_parameters(values, it)


def _expected(removed: str | None, said: str | None) -> str:
    return "" if removed == said else f", and by the file it is {removed or 'none'}"


def _sources(values: ValuesFile) -> tuple[PromptSource, PromptSource]:
    if values.source is None or values.source_b is None:
        raise ConfigError(f"`{values.feature.section}` in {values.name} names no prompt of MLflow's registry.")
    return values.source, values.source_b


def _own_alias(source: PromptSource) -> bool:
    """Return whether the reference is an alias that people set."""
    return source.alias is not None and not source.newest


def _version(found: RegisteredPrompt) -> RegisteredVersion:
    return RegisteredVersion(version=found.version, prompt_id=prompt_of(found.text).id)
