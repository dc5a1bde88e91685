"""`canopy rollback`: the last promotion is taken back by a commit with its own evidence."""

from typing import TYPE_CHECKING, Any

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
    from canopy.gitops.promotion import ValuesFile
    from canopy.gitops.repository import Repository


@click.command()
@click.option("--values", "path", required=True, metavar="FILE", help="The values file in a Git repository.")
@click.option(
    "--backend",
    metavar="URL",
    help="The server, for the evidence of what was seen since; it is told of the commit.  [none]",
)
@click.option("--why", metavar="TEXT", callback=readable_reason, help="What was seen, for the evidence.")
@mlflow_option
@delivery_options
@report_errors
def rollback(path: str, backend: str | None, why: str | None, mlflow: str | None, **options: Any) -> None:
    """Take the last promotion in a values file back: the variant before it answers everybody again.

    What else has changed in the file since stays. The evidence names the promotion, the votes that it rested on, and
    with --backend the votes that both variants have got. What moved an alias in MLflow's registry moves it back.

    \b
    Examples:
      canopy rollback --values gitops/canopy/test/backend/config.yaml
      canopy rollback --values config.yaml --backend http://127.0.0.1:8000 --why "Complaints doubled" --commit
    """
    from canopy.gitops.history import last_promotion, require_promoted
    from canopy.gitops.message import seen_lines
    from canopy.gitops.promotion import read_values, with_former
    from canopy.gitops.records import Grounds, record
    from canopy.gitops.registry_change import planned_back
    from canopy.gitops.server import Server

    wanted = Wanted(**options)
    settings = read_settings()
    repository, name, content = values_in(path)
    found = last_promotion(repository, name)
    if found is None:
        raise ConfigError(f"Nothing was promoted in {name} that has not been taken back already.")
    it = found.statement.predicate
    say(style(f"Promotion {found.revision[:10]}", bold=True) + f", {it.made_at}, experiment {it.experiment.id}")
    values = read_values(content, name, it.experiment.feature)
    former = _file_before(repository, found.revision)
    change = None
    if it.registry is None:
        if all(getattr(values.feature, key) == getattr(former.feature, key) for key in it.experiment.differing):
            raise ConfigError(f"{name} has the former variant already.")
        require_promoted(repository, found, values)
        after = with_former(values, former, it.experiment.differing)
        show_change(name, content, after)
    else:
        change, after = planned_back(values, it.registry, aliases_of(values, mlflow, wanted)), content
        show_registry(change)
    server = Server(backend.rstrip("/"), settings.backend_bearer_token) if backend else None
    observed = server.observed(it.experiment) if server else ()
    for line in seen_lines(observed, it.experiment):
        say(line)
    page = server.page(it.experiment.id) if server else None
    grounds = Grounds(it.experiment, it.counts, it.statistics, None, page, it.cost)
    facts = change.facts if change else None
    made = record(
        repository, name, content, after, grounds, "rollback",
        forced=why, reverts=found, observed=observed, registry=facts,
    )  # fmt: skip
    to = delivery_of(wanted, f"canopy/rollback-{it.experiment.id}", values.target_revision)
    beside = change.make if change else None
    tell_of(server, repository, hand_over(wanted, repository, made.files, made.message, to, beside))


def _file_before(repository: "Repository", revision: str) -> "ValuesFile":
    """Return the values file before a promotion. Raises ConfigError where its evidence is not right.

    The words and the signature of its commit keep nobody from taking it back.
    """
    from canopy.gitops.evidence_check import check_evidence, the_evidence_of

    by_hand = f"Take it back by hand: git revert {revision[:10]}"
    try:
        brought = the_evidence_of(repository, repository.commit(revision))
    except ConfigError as error:
        raise ConfigError(f"The evidence of {revision[:10]} can't be told: {error.sentence} {by_hand}") from error
    wrong = next((it for it in check_evidence(repository, brought) if not it.right), None)
    if wrong is not None:
        raise ConfigError(f"The evidence of {revision[:10]} is not right: {wrong.sentence} {by_hand}")
    return brought.file_before()
