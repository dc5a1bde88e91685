"""What a promotion's commit says of the cost and of force, and a rollback's of its grounds."""

from typing import Any

import click
import pytest

from canopy.cli.promote import promote
from canopy.gitops.evidence import CostFacts, CostRatio, Percentiles, Price, PromptCost, Statement
from canopy.gitops.message import commit_message, cost_lines
from canopy.gitops.message_check import form_of
from canopy.gitops.server import Server
from tests.support.evidence import FILE, a_statement

EVIDENCE = "gitops/canopy/test/backend/evidence/one.json"
NOTHING = PromptCost(
    prompt_id="sha256:a", answers=0, failed=0, input_tokens=None, output_tokens=None,
    first_token_seconds=None, duration_seconds=None,
)  # fmt: skip


def _said(a: PromptCost, b: PromptCost) -> list[str]:
    return list(cost_lines(CostFacts(since=None, until=None, prompt=a, prompt_b=b)))


def test_both_prompts_stand_below_each_other() -> None:
    took = Percentiles(median=1.25, p95=3)
    a = NOTHING.model_copy(
        update={"answers": 1_200, "input_tokens": 1_512.4, "output_tokens": 80.0, "duration_seconds": took}
    )
    b = a.model_copy(update={"failed": 3, "input_tokens": None, "first_token_seconds": took})
    assert _said(a, b) == [
        "Cost, by 1,200 answers each to the same texts:",
        "  A 1,512 tokens in, 80 out; all 1.25 s (95 %: 3.00 s); none failed",
        "  B 80 tokens out; first token 1.25 s (95 %: 3.00 s), all 1.25 s (95 %: 3.00 s); 3 failed",
    ]


def test_nobody_and_failures_alone_are_told_as_such() -> None:
    assert _said(NOTHING, NOTHING) == ["Cost: nobody was served both prompts."]
    failed = NOTHING.model_copy(update={"failed": 2})
    assert _said(NOTHING, failed) == ["Cost: nobody was served both prompts.", "  A none failed", "  B 2 failed"]


def test_a_rollback_says_why_and_that_the_votes_are_those_of_the_promotion() -> None:
    seen = [{"prompt_id": "sha256:a", "positive": 3, "negative": 1}]
    said = a_statement("A", "B", "rollback", forced="Complaints", reverts="0" * 40, observed=seen)
    lines = commit_message(Statement.model_validate(said).predicate, FILE, EVIDENCE, None).splitlines()
    assert "FORCED" not in "".join(lines)
    assert lines[2].endswith(" no more.")
    assert lines[3] == "Why: Complaints"
    at = lines.index("The promotion rested on:")
    assert lines[at + 1].startswith("Votes: 49 people")
    at = lines.index("Votes on single answers, when this was made:")
    assert lines[at + 1] == "  sha256:a: 75% of 4 thumbs are up"


def test_what_was_seen_is_told_by_the_models_where_they_are_what_differs() -> None:
    plain = a_statement("A", "A")["predicate"]["experiment"]
    one = plain["prompt_id"]
    seen = [
        {"prompt_id": one, "model": "llama32", "positive": 30, "negative": 25},
        {"prompt_id": one, "model": "granite", "positive": 0, "negative": 25},
    ]
    alike = {"prompt_id": one, "positive": 3, "negative": 1}

    def said(own: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[list[str], bytes]:
        predicate = {"experiment": plain | own, "observed": rows, "reverts": "0" * 40}
        statement = Statement.model_validate(a_statement("A", "A", "rollback", **predicate))
        lines = commit_message(statement.predicate, FILE, EVIDENCE, None).splitlines()
        found = [line for line in lines if "thumbs" in line]
        assert {form_of(line.strip()) for line in found} == {"thumbs"}
        return found, statement.written()

    lines, written = said({"model_b": "granite"}, seen)
    assert lines == [
        f"  {one} with the model llama32: 55% of 55 thumbs are up",
        f"  {one} with the model granite: 0% of 25 thumbs are up",
    ]
    assert b'"model": "granite"' in written
    of_both = ", of both variants: votes don't tell their parameters apart"
    assert said({"temperature_b": 0.5}, [alike])[0] == [f"  {one}: 75% of 4 thumbs are up{of_both}"]
    lines, written = said({"model_b": "granite"}, [alike, alike])  # as evidence was before
    assert lines == [f"  {one}: 75% of 4 thumbs are up"] * 2
    assert written.count(b'"model"') == 1  # that of the experiment


def test_a_server_is_asked_for_the_votes_on_each_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Statement.model_validate(a_statement("A", "A")).predicate.experiment
    votes = {None: (30, 50), "llama32": (30, 25), "granite": (0, 25)}

    def answer(_: Server, path: str, params: dict[str, str]) -> dict[str, int]:
        assert (path, params["prompt_id"]) == ("/feedback/stats", plain.prompt_id)
        return dict(zip(("positive", "negative"), votes[params.get("model")], strict=True))

    monkeypatch.setattr(Server, "_get", answer)
    for own, seen in (
        ({"model_b": "granite"}, [("llama32", 30, 25), ("granite", 0, 25)]),
        ({"max_tokens_b": 9}, [(None, 30, 50)]),
    ):
        found = Server("http://127.0.0.1:9", None).observed(plain.model_copy(update=own))
        assert [(it.model, it.positive, it.negative) for it in found] == seen


def test_a_reason_that_nobody_can_see_is_none() -> None:
    for hidden in ("", " ", "\u200b"):
        with pytest.raises(click.BadParameter, match="in words that people can read"):
            promote.main(["--backend", "x", "--force", "--why", hidden], standalone_mode=False)


def test_prices_and_a_ratio_are_told_where_the_evidence_has_them() -> None:
    of_a = NOTHING.model_copy(
        update={"answers": 40, "input_tokens": 1_000, "output_tokens": 100, "price": Price(input=0.5, output=10)}
    )
    of_b = of_a.model_copy(update={"output_tokens": 400, "price": Price(input=0.01, output=0.02)})
    ratio = CostRatio(of="tokens", ratio=1.8, low=1.6, high=2.0)
    cost = CostFacts(since=None, until=None, prompt=of_a, prompt_b=of_b, ratio=ratio)
    assert list(cost_lines(cost))[1:] == [
        "  A 1,000 tokens in, 100 out; 1.50 for 1,000 answers; none failed",
        "  B 1,000 tokens in, 400 out; 0.018 for 1,000 answers; none failed",
        "  B takes 1.8 times the tokens of A (95 %: 1.6 to 2)",
    ]
    assert cost.words == "at 1.8 times the tokens"
    assert '"price"' not in a_cost(NOTHING)
    assert a_cost(of_a).count('"price"') == 1


def a_cost(prompt: PromptCost) -> str:
    """The file of evidence, without the prices and the ratio that nobody knows."""
    cost = CostFacts(since=None, until=None, prompt=prompt, prompt_b=NOTHING).model_dump()
    return Statement.model_validate(a_statement("A", "B", cost=cost)).written().decode()
