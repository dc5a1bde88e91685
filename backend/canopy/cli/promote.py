"""`canopy promote`: what the votes decided becomes a commit on the values file, with its evidence."""

from typing import TYPE_CHECKING, Any, Literal

import click

from canopy.base.errors import ConfigError
from canopy.cli.common import read_settings, report_errors
from canopy.cli.delivering import (
    Wanted,
    delivery_of,
    delivery_options,
    hand_over,
    readable_reason,
    show_change,
    values_in,
)
from canopy.cli.registry import aliases_of, mlflow_option, show_registry
from canopy.cli.telling import tell_of
from canopy.cli.terminal import say, style

if TYPE_CHECKING:
    from canopy.gitops.evidence import EvaluationFacts, PromotionAction
    from canopy.gitops.promotion import ValuesFile
    from canopy.gitops.repository import Repository
    from canopy.gitops.server import Decided

_UNDECIDED = ("equivalent", "inconclusive")


@click.command()
@click.option("--values", "path", required=True, metavar="FILE", help="The values file in a Git repository.")
@click.option("--backend", required=True, metavar="URL", help="The server that has counted the votes.")
@click.option("--feature", default="summarize", show_default=True, help="Whose prompts were compared.")
@click.option("--experiment", "experiment_id", metavar="ID", help="An experiment's id.  [the one used last]")
@click.option("--keep", type=click.Choice(["a", "b"]), help="Which one stays, where the votes leave it to you.")
@click.option("--force", is_flag=True, help="Do it although the votes don't say so; --why goes into the evidence.")
@click.option("--why", metavar="TEXT", callback=readable_reason, help="Why it is forced.")
@click.option(
    "--evaluation",
    type=click.Path(exists=True),
    metavar="FOLDER",
    help="Reports of `canopy evals run`, for the evidence.",
)
@click.option(
    "--holdback",
    type=int,
    metavar="PERCENT",
    help="Leave the former prompt to some people (not yet: needs the design `split`).",
)
@mlflow_option
@delivery_options
@report_errors
def promote(
    path: str,
    backend: str,
    feature: str,
    experiment_id: str | None,
    keep: Literal["a", "b"] | None,
    *,
    force: bool,
    why: str | None,
    evaluation: str | None,
    holdback: int | None,
    mlflow: str | None,
    **options: Any,
) -> None:
    """Bring what the votes decided into the values file, through Git and with its evidence.

    Where the votes decided for Prompt B it takes the place of Prompt A; where they decided for A, B goes. Comparisons
    end with that. Every other byte of the file stays, also a comment above `prompt_b`. A statement beside the file
    (evidence/) holds the counts and what follows from them; `canopy verify COMMIT` computes it all again, without a
    server. The server is told of the commit, and shows its evidence.

    The token of a server that wants one, a reviewer's, is in CANOPY_BACKEND_TOKEN; that of a Git server, for
    --pull-request, in CANOPY_GIT_TOKEN. Where MLflow's registry has the prompts the alias of the prompt in force moves
    to the winner's version there, and the evidence alone is committed; MLflow's token is in CANOPY_MLFLOW_TOKEN.

    \b
    Examples:
      canopy promote --values gitops/canopy/test/backend/config.yaml --backend http://127.0.0.1:8000
      canopy promote --values config.yaml --backend http://127.0.0.1:8000 --branch brief-summaries --push
    """
    from canopy.gitops.promotion import read_values, require_tested, with_winner
    from canopy.gitops.records import Grounds, record
    from canopy.gitops.registry_change import planned
    from canopy.gitops.server import Server

    if holdback is not None:
        raise click.UsageError("--holdback needs the design `split`, which this version doesn't have: leave it out.")
    if force != (why is not None):
        raise click.UsageError("--force and --why belong together: the evidence says why.")
    wanted = Wanted(**options)
    settings = read_settings()
    repository, name, content = values_in(path)
    server = Server(backend.rstrip("/"), settings.backend_bearer_token)
    decided = server.decided(feature, experiment_id)
    _show(decided)
    values = read_values(content, name, decided.experiment.feature)
    kept = _kept(decided, keep, forced=force)
    if force and _allowed(decided, kept):
        say("Nothing has to be forced: the votes allow it as it is, so that --why does not go into the evidence.")
        why = None
    change = None
    if values.source is None:
        require_tested(values, decided.experiment)
        after = with_winner(values, kept)
        show_change(name, content, after)
    else:
        change, after = planned(values, kept, decided.experiment, aliases_of(values, mlflow, wanted)), content
        show_registry(change)
    _require_rule(repository, name, values, decided)
    action: PromotionAction = "promote" if kept == "b" else "keep"
    grounds = Grounds(
        decided.experiment, decided.counts, decided.statistics, decided.config_revision, decided.page, decided.cost
    )
    facts = change.facts if change else None
    made = record(
        repository, name, content, after, grounds, action,
        forced=why, evaluation=_evaluation(evaluation), registry=facts,
    )  # fmt: skip
    to = delivery_of(wanted, f"canopy/{action}-{decided.experiment.id}", values.target_revision)
    beside = change.make if change else None
    tell_of(server, repository, hand_over(wanted, repository, made.files, made.message, to, beside))


def _require_rule(repository: "Repository", name: str, values: "ValuesFile", decided: "Decided") -> None:
    """Raise ConfigError where the decision is by another rule than the file has, or had: nobody could check it."""
    from canopy.gitops.frozen_rule import check_rule

    found = check_rule(repository, repository.revision_of("HEAD"), name, values, decided.experiment)
    if not found.right:
        raise ConfigError(f"{found.sentence} Does the server run another file's values?")


def _show(decided: "Decided") -> None:
    from canopy.gitops.message import cost_lines

    it = decided.counts
    say(
        style(f"Experiment {decided.experiment.id}", bold=True)
        + (f", {decided.experiment.name}" if decided.experiment.name else "")
    )
    say(f"  {decided.sentence}")
    say(f"  A {it.wins_a:,}, B {it.wins_b:,}, ties {it.ties:,}, both bad {it.both_bad:,}, of {it.voters:,} people")
    for line in cost_lines(decided.cost) if decided.cost else ("What the variants cost the server can't tell now.",):
        say(f"  {line}")
    say()


def _kept(decided: "Decided", keep: Literal["a", "b"] | None, *, forced: bool) -> Literal["a", "b"]:
    """Return which variant stays. Raises ConfigError where the votes don't say, and nobody does in their place."""
    status = decided.statistics.status
    by_votes: Literal["a", "b"] | None = {"promote_b": "b", "keep_a": "a"}.get(status)  # type: ignore[assignment]  # of a literal
    if by_votes and keep in (None, by_votes):
        return by_votes
    if forced:
        return keep or "b"
    if by_votes:
        raise ConfigError(
            f'The votes decided for Prompt {by_votes.upper()}. To keep the other one, say --force --why "…".'
        )
    if status in _UNDECIDED:
        if keep == "a":
            return "a"
        if keep == "b":
            raise ConfigError('The votes don\'t prefer Prompt B. To take it all the same, say --force --why "…".')
        raise ConfigError(
            "The votes prefer neither. Say --keep a to end the comparison and keep Prompt A, or "
            '--keep b --force --why "…" to take Prompt B.'
        )
    raise ConfigError(f"There is no decision yet. {decided.next_step}")


def _allowed(decided: "Decided", kept: Literal["a", "b"]) -> bool:
    """Return whether the votes let this variant stay, without any force."""
    status = decided.statistics.status
    return status == "promote_b" if kept == "b" else status in {"keep_a", *_UNDECIDED}


def _evaluation(folder: str | None) -> "EvaluationFacts | None":
    if folder is None:
        return None
    from canopy.gitops.records import evaluation_in

    return evaluation_in(folder)
