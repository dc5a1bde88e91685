"""What the routes of promotions answer, for the API's description."""

from typing import Any, TypedDict

from canopy.experiments.decision import DecisionStatus
from canopy.feedback.statistics import VoteCountsPayload
from canopy.gitops.evidence import PromotionAction


class VariantVotes(VoteCountsPayload):
    """Votes on the answers of a prompt and a model while they were in force; `interval` has 95 % of the satisfaction.

    `since` is null for what answered before the first change, `until` for what answers still.
    """

    prompt_id: str
    model: str
    since: str | None
    until: str | None
    interval: tuple[float, float] | None


class ListedPromotion(TypedDict):
    """A commit's evidence, what its verification found to be wrong, and what became of it here.

    Whoever told it says what was found in the repository: nothing (`verified`); null in `findings`: nobody looked.
    `statement` is the evidence as it is in Git. `sentence` is the decision that follows from its counts. `in_force`:
    the values have the variant that it leaves: its prompt and, where they differ, its model and parameters. `seen_at`
    says since when, as far as answers or the values' commits show it, and `values_commit` with which commit of the
    values. `before` and `after` are votes on both variants around that, by prompt and model: null where only parameters
    differ. `taken_back_by` is the commit of a rollback; `rollback` is the command that takes the promotion back.
    """

    commit: str
    told_at: str
    made_at: str
    action: PromotionAction
    feature: str
    experiment_id: str
    verified: bool
    findings: list[str] | None
    status: DecisionStatus
    sentence: str
    in_force: bool
    seen_at: str | None
    values_commit: str | None
    before: VariantVotes | None
    after: VariantVotes | None
    taken_back_by: str | None
    rollback: str | None
    statement: dict[str, Any]


class Promotions(TypedDict):
    """What was told of promotions, the newest first."""

    promotions: list[ListedPromotion]
