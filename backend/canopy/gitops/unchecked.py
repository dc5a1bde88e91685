"""Says what of evidence nobody can check with the repository alone, so that nobody takes it for checked."""

from collections.abc import Iterator

from canopy.gitops.evidence import Promotion


def not_checked(predicate: Promotion, *, with_ballots: bool, made_on_unknown: bool) -> Iterator[str]:
    """Yield what has to be believed or asked elsewhere.

    `with_ballots` is whether the counts were made again, and `made_on_unknown` whether the commit that it says it was
    made on isn't in the repository.
    """
    if not with_ballots:
        yield "that the counts are those that people made (--ballots counts them again)"
    if made_on_unknown:
        yield f"that it was made on {predicate.before.git_revision[:10]}, a commit that isn't known here"
    yield "the experiment's name, hypothesis and beginning"
    yield "the link in the message"
    yield "that the evidence isn't older than it says"
    if predicate.server.config_revision is not None:
        yield "which values the server ran (server.config_revision)"
    if predicate.cost is not None:
        yield "what the prompts cost"
    if predicate.evaluation is not None:
        yield "the evaluation's result"
    if predicate.observed:
        yield "the votes on single answers"
    if predicate.registry is not None:
        yield "which versions MLflow's registry has by these numbers"
