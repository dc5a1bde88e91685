"""What a server takes of the evidence that it is told, and which sentence the rest gets."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from canopy.base.clock import iso
from canopy.base.errors import BodyTooLarge, ConfigError, InputError
from canopy.gitops.acceptance import MOST_BYTES, accepted
from canopy.gitops.evidence import Statement as Evidence
from tests.support.evidence import a_statement

COMMIT = "0a1b2c3d4e" * 4
NOW = 1_800_000_000_000_000
type Statement = dict[str, Any]


def told(statement: Statement, commit: str = COMMIT, findings: tuple[str, ...] | None = ()) -> Any:
    return accepted(commit, statement, findings, NOW)


def test_evidence_whose_numbers_hold_is_kept_and_the_same_has_one_digest() -> None:
    it = told(a_statement("A:", "B:"))
    assert (it.action, it.feature, it.verified) == ("promote", "summarize", True)
    assert it.digest == told(dict(reversed(a_statement("A:", "B:").items())), "f" * 64).digest
    assert it.digest != told(a_statement("A:", "C:")).digest
    wrong = told(a_statement("A:", "B:"), findings=("x" * 900, *["y"] * 30))
    assert (wrong.verified, len(wrong.findings), len(wrong.findings[0])) == (False, 20, 500)
    nobody_looked = told(a_statement("A:", "B:"), findings=None)
    assert (nobody_looked.verified, nobody_looked.findings) == (False, None)
    forced = a_statement("A:", "B:", wins_a=9, wins_b=8, forced="The licence of A ends")
    assert told(forced).verified


def inside(*path: str, to: Any) -> Callable[[Statement], None]:
    def change(statement: Statement) -> None:
        place = statement
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


NUMBER = "numbers that no experiment has"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (inside("predicateType", to="https://slsa.dev/provenance/v1"), "another predicate type than `urn:canopy:prom"),
        (inside("predicate", "counts", "wins_b", to=41), "doesn't hold, so it isn't kept: "),
        (inside("predicate", "statistics", "e_b", to=1e9), "doesn't hold, so it isn't kept: E for B is"),
        (inside("predicate", "statistics", "status", to="keep_a"), "By its rule the decision is promote_b"),
        (inside("predicate", "experiment", "max_tokens", to=4097), "have the id exp_"),
        (inside("predicate", "counts", "wins_b", to=10**9), NUMBER),
        (inside("predicate", "experiment", "rule", "prior", to=1e300), NUMBER),
        (inside("predicate", "counts", "wins_b", to=10**30), "numbers, or characters"),
        (inside("predicate", "forced", to="a\ud800"), "numbers, or characters"),
        (inside("predicate", "forced", to="a\0b"), "the character NUL"),
        (inside("predicate", "made_at", to="yesterday"), "`predicate.made_at` should be a time in UTC, such as"),
        (inside("predicate", "made_at", to=iso(NOW + 600_000_000)), "is a clock wrong?"),
        (inside("predicate", "experiment", "created_at", to="2026-11-01T12:00:00+02:00"), "should be a time in UTC"),
        (inside("predicate", "before", "git_revision", to="zzz"), "`predicate.before.git_revision`"),
        (inside("predicate", "reverts", to="gggg"), "`predicate.reverts`"),
        (inside("predicate", "experiment", "rule", "alpha", to=5e-324), "doesn't hold"),
        (inside("predicate", "texts", to=["of a user"]), "`predicate.texts` is not a known key"),
        (
            inside("predicate", "experiment", "created_at", to="2026-11-01T13:00:01Z"),
            "began only at 2026-11-01T13:00:01",
        ),
        (
            inside("predicate", "evaluation", to={"verdict": "passed", "pass_rate": -1, "sha256": "0" * 64}),
            "pass_rate`",
        ),
        (inside("subject", to=[]), "no evidence of Canopy's"),
        (dict.clear, "no evidence of Canopy's: `_type` is missing."),
    ],
)
def test_anything_else_is_refused_with_a_sentence(change: Callable[[Statement], None], sentence: str) -> None:
    statement = a_statement("A:", "B:")
    change(statement)
    with pytest.raises(InputError) as refused:
        told(statement)
    assert sentence in refused.value.sentence


def test_it_is_small_and_of_a_commit_by_its_full_id() -> None:
    with pytest.raises(BodyTooLarge, match=f"the limit is {MOST_BYTES:,}"):
        told(a_statement("A:", "B:", forced="x" * MOST_BYTES))
    for name in ("main", COMMIT[:10], COMMIT.upper(), COMMIT + "\n", ""):
        with pytest.raises(InputError, match="by its full id"):
            told(a_statement("A:", "B:"), name)


def test_a_promotion_without_a_decision_is_none_unless_it_was_forced() -> None:
    with pytest.raises(InputError, match="B was promoted without a decision for it"):
        told(a_statement("A:", "B:", wins_a=9, wins_b=8))
    for hidden in ("", " \n", "\u200b\u2060", "\u3164", "\u0301", "\x1b"):
        with pytest.raises(InputError, match="without a word that anybody can see"):
            told(a_statement("A:", "B:", "keep", forced=hidden))


@pytest.mark.parametrize(
    ("what", "to", "sentence"),
    [
        ('"wins_b":40', '"wins_b":33,"wins_b":40', "it has the key `wins_b` twice."),
        ('"wins_b":40', '"wins_b":33,"wins\\u005fb":40', "it has the key `wins_b` twice."),
        (
            '"evaluation":null',
            '"evaluation":{"verdict":"","pass_rate":NaN,"sha256":""}',
            "`predicate.evaluation.pass_rate`",
        ),
        ('"win_rate_b":0.8', '"win_rate_b":NaN,"win_rate_b":0.8', "a number that is none"),
        ('"prior":10.0', '"prior":1e999', "a number that is none, or has no end"),
    ],
)
def test_what_two_readers_may_read_differently_is_refused(what: str, to: str, sentence: str) -> None:
    written = orjson.dumps(a_statement("A:", "B:")).decode()
    assert what in written
    with pytest.raises(ConfigError) as refused:
        Evidence.read(written.replace(what, to, 1).encode(), "one.json")
    assert sentence in refused.value.sentence
