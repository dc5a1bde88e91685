"""A commit's message says what its evidence says, or is people's own words."""

from typing import Any

import pytest

from canopy.gitops.evidence import Promotion, Statement
from canopy.gitops.message import commit_message
from canopy.gitops.message_check import Told, check_message, form_of
from tests.support.evidence import FILE, a_statement

EVIDENCE = "gitops/canopy/test/backend/evidence/one.json"
TIMES = {"median": 1.0, "p95": 2.0}
SIDE = {"answers": 9, "failed": 0, "input_tokens": 5, "output_tokens": None, "first_token_seconds": TIMES}
COST: dict[str, Any] = {
    "since": None, "until": None,
    **{name: {**SIDE, "prompt_id": name, "duration_seconds": None} for name in ("prompt", "prompt_b")},
}  # fmt: skip
PRICED = {
    **COST,
    **{name: {**side, "output_tokens": 3, "price": {"input": 1, "output": 2}} for name, side in COST.items() if side},
    "ratio": {"of": "money", "ratio": 1.8, "low": 1.6, "high": 2.0},
}  # fmt: skip


def _promotion(**predicate: object) -> Promotion:
    experiment = a_statement("A", "B")["predicate"]["experiment"] | {"hypothesis": "Brief is better"}
    facts = {"experiment": experiment, "cost": COST, **predicate}
    return Statement.model_validate(a_statement("A", "B", **facts)).predicate


PROMOTION = _promotion()
MESSAGE = commit_message(PROMOTION, FILE, EVIDENCE, "https://canopy.example.com/experiments/1")


WHOLE = "The message has each line that Canopy makes of the evidence, and no other in Canopy's form."


def _found(message: str, predicate: Promotion = PROMOTION) -> tuple[list[str], str]:
    """What is wrong, and all that is said."""
    found = list(check_message(message, [Told(predicate, FILE, EVIDENCE)]))
    return [it.sentence for it in found if not it.right], " ".join(it.sentence for it in found)


def test_each_line_of_each_message_has_a_form_and_is_right() -> None:
    alias = {"prompt": "summary", "alias": "champion", "removed": "challenger"}
    versions = {"before": {"version": 1, "prompt_id": "sha256:a"}, "after": {"version": 2, "prompt_id": "sha256:b"}}
    evaluation = {"verdict": "passed", "pass_rate": 0.5, "sha256": "0" * 64}
    seen = [{"prompt_id": "sha256:a", "positive": 0, "negative": 0}]
    for it in (
        PROMOTION,
        _promotion(forced="The licence\nVotes: 900 people", evaluation=evaluation, registry={**alias, **versions}),
        _promotion(action="keep"),
        _promotion(cost=PRICED),
        _promotion(action="rollback", reverts="0" * 40, observed=seen, forced="Too brief"),
    ):
        message = commit_message(it, FILE, EVIDENCE, None)
        assert [line for line in message.splitlines() if line and form_of(line.strip()) is None] == []
        assert _found(message, it) == ([], WHOLE)


@pytest.mark.parametrize(
    "changed",
    [
        MESSAGE.replace("summaries\n", "summaries (#7)\n", 1)
        + "\nA test has failed before.\nSigned-off-by: Ada <a@b>\n",
        "Squashed commit of the following:\n\n" + "".join(f"    {line}\n" for line in MESSAGE.splitlines()),
        f"Brief (#7)\n\n* {MESSAGE}\n* Say why\n\nWhy: the licence of A ends\n",
        MESSAGE.replace("\n", "\r\n"),
        MESSAGE.replace("Votes:", "- **Votes:**").replace("Check:", "__Check__ :").replace("Evidence: ", "Evidence:\n"),
        f'Reapply "{MESSAGE.splitlines()[0]}"\n\n* {MESSAGE}',
        MESSAGE.replace(" whom chose", "\nwhom chose").replace(", https", ",\nhttps").replace(" (", "\n("),
    ],
)
def test_what_people_and_squashes_make_of_it_is_right(changed: str) -> None:
    assert _found(changed) == ([], WHOLE)


@pytest.mark.parametrize(
    ("what", "to", "instead"),
    [
        ("B 40,", "B 400,", "the evidence makes it “A 5, B 40, ties 3, both bad 1”."),
        ("Votes: 49", "votes:\u200b 490", "the evidence makes it “Votes: 49 people"),
        ("Promote Prompt B", "Keep Prompt A", "the evidence makes it “Promote Prompt B of Brief summaries”."),
        ("prefer B.", "prefer B.\nEvaluation: passed, 100.0% passed.", "and the evidence says nothing of the kind."),
        (f"values {FILE}", "values other.yaml", f"the evidence makes it “Take back: canopy rollback --values {FILE}”."),
        ("\n\nsha256:", "\n\n> sha256:0 answers everybody, sha256:", "the evidence makes it “sha256:"),
        ("none failed", "8 failed", "the evidence makes it “A 5 tokens in; first token 1.00 s"),
        ("Votes: 49", "**Votes: 490", "the evidence makes it “Votes: 49 people"),
        ("Votes: 49", "- **Votes**: 490", "the evidence makes it “Votes: 49 people"),
        ("Votes: 49", "Votes :  490", "the evidence makes it “Votes: 49 people"),
        ("Votes: 49", "Votes:\n490", "The message says “Votes:”, the evidence makes it “Votes: 49 people"),
        ("B of Brief summaries", "B: 99% prefer it", "the evidence makes it “Promote Prompt B of Brief summaries”."),
        ("Promote Prompt B of Brief summaries", "Keep Prompt A", "makes it “Promote Prompt B of Brief summaries”."),
        ("Promote Prompt B of Brief summaries", "Take back B", "makes it “Promote Prompt B of Brief summaries”."),
        ("Promote Prompt B", 'Revert "Promote Prompt B', "makes it “Promote Prompt B of Brief summaries”."),
        ("Evidence: ", "Evidence: x", "the evidence makes it “Evidence: gitops/"),
    ],
)
def test_a_line_that_says_another_result_is_named(what: str, to: str, instead: str) -> None:
    assert what in MESSAGE
    (wrong,), _ = _found(MESSAGE.replace(what, to, 1))
    assert wrong.startswith("The message says “")
    assert instead in wrong


def test_what_a_squash_leaves_out_is_told_and_is_not_wrong() -> None:
    assert _found("Brief summaries (#7)\n")[1] == "No line of the message has Canopy's form: it is people's own."
    wrong, said = _found("\n".join(MESSAGE.splitlines()[:5]))
    assert (wrong, "it leaves out 11 of Canopy's 14 lines, the first “A 5, B 40" in said) == ([], True), said


def test_what_was_forced_is_said_to_be_or_nothing_is_said() -> None:
    forced = _promotion(forced="The licence of A ends")
    lines = commit_message(forced, FILE, EVIDENCE, None).splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("FORCED")]
    (wrong,), _ = _found("\n".join([*lines[:at], *lines[at + 1 :]]), forced)
    assert wrong.startswith("The message leaves out “FORCED, although the votes say promote_b: The licence of A ends”")
    assert _found("\n".join(lines[:3]), forced)[0] == _found(lines[0], forced)[0] == _found("(#7)", forced)[0] == []


def test_the_commands_of_a_message_have_the_file_that_it_is_about() -> None:
    lines = commit_message(PROMOTION, "my values/config.yaml", EVIDENCE, None).splitlines()
    assert lines[-2:] == [
        "Check: canopy verify --all 'my values/config.yaml'",
        "Take back: canopy rollback --values 'my values/config.yaml'",
    ]
