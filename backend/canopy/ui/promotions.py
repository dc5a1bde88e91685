"""View models of promotions: what the evidence of each commit said, and what became of it on this server."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from canopy.base.errors import ConfigError
from canopy.config.features import with_answering_models
from canopy.config.loading import Config
from canopy.experiments.cost_words import sentence_with_cost
from canopy.experiments.decision import Decision, decide
from canopy.experiments.in_force import ComparedProducer, exchange
from canopy.experiments.variant_words import in_words
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import ExperimentFacts, Promotion, PromotionAction, Statement, Which
from canopy.gitops.message import cost_lines
from canopy.store.experiments.promotions import ToldPromotion
from canopy.store.experiments.variants_in_force import PromptAndModel
from canopy.store.feedback.hourly_counts import HOUR
from canopy.store.values.values_commits import ValuesCommit
from canopy.ui.experiment_list import VerdictView, experiment_address
from canopy.ui.last_change import verdict_on
from canopy.ui.variant_changes import commit_of
from canopy.ui.variant_line import VariantStretch

_LABELS: Mapping[PromotionAction, VerdictView] = {
    "promote": VerdictView("Prompt B promoted", "check", "positive"),
    "keep": VerdictView("Prompt A kept", "equal", "neutral"),
    "rollback": VerdictView("Promotion taken back", "back", "neutral"),
}


@dataclass(frozen=True, slots=True)
class PromotionView:
    """Shows one commit's evidence. Times are microseconds.

    `decision` is made again of the evidence's counts. `after` and `before` are the stretches of time that the commit
    parts, where answers show it; `values_commit` is the commit of the values that began the first one, as Argo CD
    had it.
    """

    told: ToldPromotion
    told_at: int
    statement: Statement
    label: VerdictView
    decision: Decision
    experiment_href: str | None  # None: it was deleted
    in_force: bool  # whether the values in force have the variant that it leaves
    seen_at: int | None  # since when it was in force, as far as was seen
    values_commit: str | None
    after: VariantStretch | None
    before: VariantStretch | None
    verdict: str | None
    taken_back_by: str | None  # the commit of the rollback
    rollback: str | None  # the command

    @property
    def predicate(self) -> Promotion:
        """Return what the evidence says was done, and why."""
        return self.statement.predicate

    @property
    def values_file(self) -> str:
        """Return its path in the repository."""
        return self.statement.subject[0].name

    @property
    def sentence(self) -> str:
        """Return what was decided, and what B costs beside A where the evidence says it."""
        cost = self.predicate.cost
        return sentence_with_cost(self.decision.sentence, self.decision.status, cost.words if cost else None)

    @property
    def cost(self) -> list[str]:
        """Return what both prompts took, in lines as the commit's message has them."""
        return [line.strip() for line in cost_lines(self.predicate.cost)] if self.predicate.cost else []

    @property
    def kept(self) -> "PromotedVariant":
        """Return what answers everybody by this commit."""
        return _variant(self.predicate.experiment, _kept(self.predicate))

    @property
    def gone(self) -> "PromotedVariant":
        """Return the other one."""
        return _variant(self.predicate.experiment, "a" if _kept(self.predicate) == "b" else "b")

    @property
    def shows(self) -> bool:
        """Return whether answers can show since when it is in force: they don't tell by which parameters they came."""
        it = self.predicate.experiment
        return it.producer_of("a") != it.producer_of("b")


class PromotedVariant(NamedTuple):
    """Names a variant by its prompt, and says in words what else the two differ in, which may be nothing."""

    prompt_id: str
    parameters: str


@dataclass(frozen=True, slots=True)
class ServerSight:
    """Holds what the server knows of its own: the line of variants, commits of values, ids of experiments."""

    line: Sequence[VariantStretch]
    commits: Sequence[ValuesCommit]
    experiments: Collection[str]


def promotion_views(
    told: Sequence[tuple[ToldPromotion, int]], sight: ServerSight, config: Config, origin: str
) -> list[PromotionView]:
    """Return the views, in the order of `told`: newest first. `origin` is the server's own address."""
    read = []
    for it, told_at in told:
        with suppress(ConfigError):  # a newer Canopy, from which somebody has gone back, kept what this one can't read
            read.append((it, told_at, Statement.read(it.statement.encode(), it.git_revision)))
    rollbacks = [(it, statement) for it, _, statement in read if it.verified and it.action == "rollback"]
    reverted = {
        told_as: it.git_revision
        for it, statement in rollbacks
        for told_as in (statement.predicate.reverts, statement.predicate.reverts_sha256)  # which outlives a rebase
    }
    views, offered = [], set[str]()  # values files whose last promotion in force is passed
    for it, told_at, statement in read:
        predicate, file = statement.predicate, statement.subject[0].name
        before, after = _parted(it, predicate.experiment, sight.line)
        exact = next((one.first_at for one in sight.commits if one.git_revision == it.git_revision), None)
        taken_back_by = reverted.get(it.git_revision) or reverted.get(it.digest)
        in_force = _in_force(predicate, config)
        # A commit on a branch, whether it promotes or takes back, hides no way back from what is in force.
        last = it.action == "promote" and it.verified and in_force and file not in offered
        if last:
            offered.add(file)
        views.append(
            PromotionView(
                told=it,
                told_at=told_at,
                statement=statement,
                label=_LABELS[predicate.action],
                decision=decide(
                    predicate.counts.wins_a, predicate.counts.wins_b, predicate.experiment.rule.decision_rule
                ),
                experiment_href=experiment_address(it.experiment_id) if it.experiment_id in sight.experiments else None,
                in_force=in_force,
                seen_at=after.since if after else exact,
                values_commit=_values_commit(after, sight.commits) or (it.git_revision if exact else None),
                after=after,
                before=before,
                verdict=verdict_on(after.tally, before.tally) if after and before else None,
                taken_back_by=taken_back_by,
                rollback=rollback_command(file, origin) if last else None,
            )
        )
    return views


def rollback_command(values_file: str, origin: str) -> str:
    """Return the command that takes the last promotion in a values file back, for its repository's root."""
    return f"canopy rollback --values {shlex.quote(values_file)} --backend {shlex.quote(origin)}"


def tell_command(origin: str) -> str:
    """Return the command that tells the server of what is in Git already."""
    return f"canopy verify --all FILE --backend {shlex.quote(origin)}"


def _parted(
    it: ToldPromotion, experiment: ExperimentFacts, line: Sequence[VariantStretch]
) -> tuple[VariantStretch | None, VariantStretch | None]:
    """Return the stretches before and after the commit came into force, as answers show it."""
    a, b = (ComparedProducer(*experiment.producer_of(which)) for which in ("a", "b"))
    if a == b or it.action == "keep":
        return None, None
    wanted = "promotion" if it.action == "promote" else "rollback"
    for before, after in pairwise(one for one in line if one.feature == it.feature):
        changed = PromptAndModel(before.prompt_id, before.model), PromptAndModel(after.prompt_id, after.model)
        if exchange(*changed, a, b) == wanted and (after.since or 0) > it.made_at - HOUR:
            return before, after
    return None, None


def _values_commit(after: VariantStretch | None, commits: Sequence[ValuesCommit]) -> str | None:
    if after is None or after.since is None or after.config_revision is None:
        return None
    return commit_of(after.config_revision, after.since, commits)


def _in_force(predicate: Promotion, config: Config) -> bool:
    it, kept = predicate.experiment, _kept(predicate)
    feature = config.features.get(it.feature)
    if feature is None or not feature.enabled:
        return False
    answers = with_answering_models(feature, config.values)
    return prompt_of(answers.prompt).id == it.prompt_id_of(kept) and all(
        getattr(answers, key) == value for key, value in it.own_of(kept).items()
    )


def _kept(predicate: Promotion) -> Which:
    return "b" if predicate.action == "promote" else "a"


def _variant(it: ExperimentFacts, which: Which) -> PromotedVariant:
    return PromotedVariant(it.prompt_id_of(which), in_words(it.own_of(which)))
