"""Makes the record of a change: the evidence beside the values file, and the commit's message."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from canopy import __version__
from canopy.evals.results import load
from canopy.gitops.evidence import (
    FOLDER,
    Before,
    CostFacts,
    Counts,
    EvaluationFacts,
    ExperimentFacts,
    Observed,
    Promotion,
    PromotionAction,
    RegistryFacts,
    ServerFacts,
    Statement,
    Statistics,
    sha256,
)
from canopy.gitops.history import LastPromotion
from canopy.gitops.message import commit_message
from canopy.gitops.repository import Repository


class Grounds(NamedTuple):
    """What a change rests on: what was tested, the counts, and what follows from them. `page` shows it to people."""

    experiment: ExperimentFacts
    counts: Counts
    statistics: Statistics
    config_revision: str | None  # of the server that counted
    page: str | None
    cost: CostFacts | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Holds a change as it is committed: the values file and its evidence by path, and the message."""

    files: Mapping[str, bytes]
    message: str


def record(
    repository: Repository,
    name: str,
    before: bytes,
    after: bytes,
    grounds: Grounds,
    action: PromotionAction,
    *,
    forced: str | None = None,
    reverts: LastPromotion | None = None,
    observed: tuple[Observed, ...] = (),
    evaluation: EvaluationFacts | None = None,
    registry: RegistryFacts | None = None,
) -> Record:
    """Return the record of a change of the file `name` on HEAD, or of one in MLflow's registry beside it."""
    now = datetime.now(UTC)
    predicate = Promotion(
        action=action,
        forced=forced,
        reverts=None if reverts is None else reverts.revision,
        reverts_sha256=None if reverts is None else reverts.digest,
        made_at=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        canopy=__version__,
        before=Before(git_revision=repository.revision_of("HEAD"), sha256=sha256(before)),
        experiment=grounds.experiment,
        counts=grounds.counts,
        statistics=grounds.statistics,
        server=ServerFacts(config_revision=grounds.config_revision),
        observed=observed,
        evaluation=evaluation,
        cost=grounds.cost,
        registry=registry,
    )
    evidence = str(PurePosixPath(name).parent / FOLDER / f"{now:%Y%m%dT%H%M%SZ}-{action}-{grounds.experiment.id}.json")
    statement = Statement.of(name, after, predicate)
    files = {} if after == before else {name: after}
    return Record({**files, evidence: statement.written()}, commit_message(predicate, name, evidence, grounds.page))


def evaluation_in(folder: str) -> EvaluationFacts:
    """Return what the reports in a folder say, for the evidence. Raises ConfigError."""
    file = Path(folder) / "results.json"
    run = load(file)
    scored = [case for case in run.cases if case.status in {"passed", "failed"}]
    passed = sum(case.status == "passed" for case in scored)
    return EvaluationFacts(
        verdict=run.gate.verdict if run.gate else "interrupted",
        pass_rate=passed / len(scored) if scored else None,
        sha256=sha256(file.read_bytes()),
    )
