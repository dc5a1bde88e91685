"""Evidence as `canopy promote` writes it, without a repository."""

from typing import Any

from canopy.experiments.assignment import experiment_id
from canopy.experiments.decision import decide
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import PromotionAction, Statement
from canopy.stats.sequential import DecisionRule

FILE = "gitops/canopy/test/backend/config.yaml"


def a_statement(
    a: str, b: str, action: PromotionAction = "promote", *, wins_a: int = 5, wins_b: int = 40, **predicate: Any
) -> dict[str, Any]:
    """The statement on an experiment that three people found a tie and one bad on both sides, as JSON."""
    rule = DecisionRule(0.05, 10, 0.05, 2000)
    found, n = decide(wins_a, wins_b, rule), wins_a + wins_b
    ids = prompt_of(a).id, prompt_of(b).id
    parts: dict[str, Any] = {
        "action": action,
        "made_at": "2026-11-01T12:00:00Z",
        "canopy": "1.0.0",
        "before": {"git_revision": "0" * 40, "sha256": "1" * 64},
        "experiment": {
            "id": experiment_id(*ids, "llama32", 0.2, 4096),
            "feature": "summarize",
            "name": "Brief summaries",
            "created_at": "2026-10-01T12:00:00Z",
            "prompt_id": ids[0],
            "prompt_b_id": ids[1],
            "model": "llama32",
            "temperature": 0.2,
            "max_tokens": 4096,
            "rule": {"alpha": 0.05, "prior": 10, "delta": 0.05, "n_max": 2000},
        },
        "counts": {
            **{"voters": n + 4, "wins_a": wins_a, "wins_b": wins_b, "ties": 3, "both_bad": 1},
            **{"left": n // 2, "ballots": n + 6, "prompt_b_left": n // 2},
        },
        "statistics": {
            "win_rate_b": found.win_rate_b,
            "interval": found.interval,
            **found.evidence._asdict(),
            "status": found.status,
        },
        "server": {"config_revision": None},
        **predicate,
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": FILE, "digest": {"sha256": "2" * 64}}],
        "predicateType": "urn:canopy:promotion:1",
        "predicate": parts,
    }
    return Statement.model_validate(statement).model_dump(mode="json", by_alias=True)
