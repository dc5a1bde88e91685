"""Holds the rule of a statement against the values file: it is that of the file in which the experiment began."""

from itertools import islice

from canopy.base.errors import ConfigError
from canopy.config.feature_values import VARIANTS
from canopy.gitops.evidence import ExperimentFacts, Rule
from canopy.gitops.promotion import ValuesFile, read_values
from canopy.gitops.recomputation import Checked
from canopy.gitops.repository import Repository
from canopy.gitops.trail import versions_of


def check_rule(repository: Repository, parent: str, path: str, file: ValuesFile, it: ExperimentFacts) -> Checked:
    """Look for the rule in the file on `parent`, and in those before it that compared the same.

    An experiment keeps the rule with which it began, so the file may say another since. Raises ShallowCloneError where
    the history that would tell isn't here.
    """
    wanted = it.rule.decision_rule
    if file.rule == wanted:
        return Checked(True, f"The rule of decision is the one in {path}.")
    for revision, name in islice(versions_of(repository, path, parent), 1, None):
        former = _read(repository, revision, name, it.feature)
        if former is None or _compared(former) != _compared(file):
            break
        if former.rule == wanted:
            return Checked(
                True, f"The rule of decision is that of {path} in {revision[:10]}; it was changed since the experiment."
            )
    repository.require_whole_history()
    differing = ", ".join(
        f"{key} {said:g}, the file {own:g}"
        for key, said, own in zip(Rule.model_fields, wanted, file.rule, strict=True)
        if said != own
    )
    return Checked(False, f"The rule of decision isn't that of {path}, then or before: the evidence says {differing}.")


def unlike_rule(own: Rule, said: Rule) -> str:
    """Return what another rule says differently; nothing where it is the same."""
    pairs = zip(Rule.model_fields, own.decision_rule, said.decision_rule, strict=True)
    return ", ".join(f"{key} {one:g}, the evidence says {other:g}" for key, one, other in pairs if one != other)


def _read(repository: Repository, revision: str, path: str, feature: str) -> ValuesFile | None:
    content = repository.read(revision, path)
    try:
        return None if content is None else read_values(content, path, feature)
    except ConfigError:
        return None


def _compared(file: ValuesFile) -> tuple[object, ...]:
    return *(file.feature.variant(name) for name in VARIANTS), file.source, file.source_b
