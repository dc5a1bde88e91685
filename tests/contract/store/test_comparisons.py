"""Comparisons and the ballots on them: what is stored, who may vote, and when."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from canopy.base.errors import CanopyError, ComparisonExpired, ComparisonForeign, ComparisonNotFound, StoreError
from canopy.config.feature_values import Variant
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Ballot, BallotCounts, BallotReceipt, BallotRow, Preference, Side
from canopy.store.feedback.query import Filter
from canopy.store.store import Store
from tests.contract.store.records import NOON, Clock, a_ballot, a_comparison, an_experiment, everything

NOTHING = BallotCounts(0, 0, 0, 0, 0, 0)

NOBODY: dict[str, Any] = {"user_id": None, "session_id": None}
A_PERSON: dict[str, Any] = {"user_id": "ada"}
A_BROWSER: dict[str, Any] = {"session_id": "browser"}
ANOTHER_BROWSER: dict[str, Any] = {"session_id": "another"}

WINNERS: list[tuple[Preference, Side, Variant | None]] = [
    ("a", "a", "prompt_b"),
    ("a", "b", "prompt"),
    ("b", "a", "prompt"),
    ("b", "b", "prompt_b"),
    ("tie", "a", None),
    ("both_bad", "b", None),
]


async def test_nothing_is_told_of_a_comparison_before_its_ballot(store: Store) -> None:
    await a_comparison(store, prompt_b_side="a")
    await a_comparison(store, prompt_b_side="b")
    assert await store.experiments.ballot_counts(None) == NOTHING
    assert (await store.experiments.ballots(None, 10, None)).entries == []
    assert await store.experiments.first_ballots(an_experiment().id) == []


async def test_the_same_comparison_recorded_twice_is_one(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada")
    await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    await asyncio.gather(*(store.comparisons.record(comparison) for _ in range(3)))
    assert await store.experiments.ballot_counts(None) == NOTHING._replace(ballots=1, wins_prompt=1)


async def test_a_comparison_of_generations_that_are_not_recorded_is_an_error_of_its_own(store: Store) -> None:
    good = [await a_comparison(store) for _ in range(2)]
    more = [replace(comparison, id=f"{comparison.id[:-1]}x") for comparison in good]
    bad = replace(good[0], id="cmp_bad", generation_a="gen_unknown")
    outcomes = await asyncio.gather(
        *(store.comparisons.record(comparison) for comparison in (more[0], bad, more[1])), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), StoreError, type(None)]
    for recorded in (*good, *more):
        assert (await store.comparisons.record_ballot(a_ballot(recorded))).outcome == "created"


async def test_an_experiment_stays_as_it_began(store: Store) -> None:
    began = an_experiment()
    await a_comparison(store, experiment=began)
    later = replace(
        began,
        created_at=NOON + 5,
        rule=DecisionRule(0.5, 1, 0.1, 3),
    )
    await a_comparison(store, experiment=later)
    assert await store.experiments.all() == [began]


async def test_a_preference_is_for_the_prompt_on_that_side(store: Store) -> None:
    for preference, prompt_b_side, winner in WINNERS:
        comparison = await a_comparison(
            store, prompt_b_side=prompt_b_side, experiment=an_experiment(id=f"exp_{preference}_{prompt_b_side}")
        )
        receipt = await store.comparisons.record_ballot(a_ballot(comparison, preference))
        assert receipt == BallotReceipt(
            comparison_id=comparison.id,
            experiment_id=comparison.experiment.id,
            outcome="created",
            timestamp=receipt.timestamp,
            preference=preference,
            winner=winner,
            prompt_b_side=prompt_b_side,
            prompt_id="sha256:one",
            prompt_text="Summarize the text.",
            prompt_b_id="sha256:two",
            prompt_b_text="Be brief.",
            model="llama32",
            config_revision="revision-1",
            trace_id=comparison.trace_id,
            generation_ids=(comparison.generation_a, comparison.generation_b),
            span_ids=(None, None),
        )
        assert receipt.winning_prompt_id == {"prompt": "sha256:one", "prompt_b": "sha256:two", None: None}[winner]
        assert await store.experiments.ballot_counts(comparison.experiment.id) == BallotCounts(
            ballots=1,
            wins_prompt=winner == "prompt",
            wins_prompt_b=winner == "prompt_b",
            ties=preference == "tie",
            both_bad=preference == "both_bad",
            prompt_b_left=prompt_b_side == "a",
        )
        (first,) = await store.experiments.first_ballots(comparison.experiment.id)
        assert first == (comparison.id, receipt.timestamp, preference, winner)


async def test_a_ballot_is_read_back_with_all_that_it_is_about(store: Store) -> None:
    comparison = await a_comparison(store, input_text="The text.", user_id="ada", session_id="s", prompt_b_side="a")
    ballot = a_ballot(comparison, "b", comment="Clear.\n🌱", reasons=("too_long", "other"), user_id="eve")
    receipt = await store.comparisons.record_ballot(ballot)
    assert (await store.experiments.ballots(None, 10, None)).entries == [
        BallotRow(
            comparison_id=comparison.id,
            experiment_id=comparison.experiment.id,
            timestamp=receipt.timestamp,
            preference="b",
            winner="prompt",
            prompt_b_side="a",
            input_text="The text.",
            response_a="Response a.",
            response_b="Response b.",
            generation_a=comparison.generation_a,
            generation_b=comparison.generation_b,
            comment="Clear.\n🌱",
            reasons=["too_long", "other"],
            user_id="eve",
            session_id="s",
            trace_id=comparison.trace_id,
            prompt_id="sha256:one",
            prompt_b_id="sha256:two",
            model="llama32",
            config_revision="revision-1",
        )
    ]


async def test_a_changed_ballot_replaces_the_first_everywhere_but_in_the_statistics(store: Store) -> None:
    one = await a_comparison(store, user_id="ada")
    two = await a_comparison(store, user_id="ada")
    first = await store.comparisons.record_ballot(a_ballot(one, "a"))
    await store.comparisons.record_ballot(a_ballot(two, "a"))
    changed = await store.comparisons.record_ballot(a_ballot(one, "b", comment="On reflection."))
    assert changed.outcome == "replaced"
    assert changed.timestamp > first.timestamp
    entries = (await store.experiments.ballots(None, 10, None)).entries
    assert [(entry.comparison_id, entry.preference, entry.comment) for entry in entries] == [
        (one.id, "b", "On reflection."),
        (two.id, "a", None),
    ]
    assert await store.experiments.first_ballots(one.experiment.id) == [(one.id, first.timestamp, "a", "prompt")]
    assert (await store.experiments.ballot_counts(None)).ballots == 2


async def test_the_same_ballot_again_writes_nothing(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada")
    ballot = a_ballot(comparison, "both_bad", comment="No.", reasons=("wrong",))
    first = await store.comparisons.record_ballot(ballot)
    before = await everything(store), await store.experiments.ballots(None, 10, None)
    again = await store.comparisons.record_ballot(ballot)
    assert again == first._replace(outcome="repeated")
    assert (await everything(store), await store.experiments.ballots(None, 10, None)) == before
    for changed in (replace(ballot, comment="No!"), replace(ballot, comment="No!", reasons=())):
        assert (await store.comparisons.record_ballot(changed)).outcome == "replaced"


async def test_time_that_runs_backwards_leaves_a_changed_ballot_where_it_was(store: Store, clock: Clock) -> None:
    comparison = await a_comparison(store)
    first = await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    clock.now = NOON - 1_000_000
    assert (await store.comparisons.record_ballot(a_ballot(comparison, "b"))).timestamp == first.timestamp


async def test_an_unknown_comparison_is_refused(store: Store) -> None:
    comparison = await a_comparison(store)
    with pytest.raises(ComparisonNotFound):
        await store.comparisons.record_ballot(replace(a_ballot(comparison), comparison_id="cmp_unknown"))


async def test_who_asked_may_vote(store: Store) -> None:
    for asker, voter in [
        (A_PERSON, A_PERSON),
        (A_BROWSER, A_BROWSER),
        (A_BROWSER, A_BROWSER | A_PERSON),
        (NOBODY, NOBODY),
        (NOBODY, A_PERSON),
        (NOBODY, A_BROWSER),
        (A_PERSON | A_BROWSER, A_BROWSER),
        (A_PERSON | A_BROWSER, {"user_id": "bob"} | A_BROWSER),
    ]:
        comparison = await a_comparison(store, **asker)
        ballot = a_ballot(comparison, **NOBODY | voter)
        assert (await store.comparisons.record_ballot(ballot)).outcome == "created", (asker, voter)
        assert (await store.comparisons.record_ballot(replace(ballot, preference="b"))).outcome == "replaced", (
            asker,
            voter,
        )


async def test_nobody_else_may_vote(store: Store) -> None:
    for asker, voter in [
        (A_PERSON, {"user_id": "bob"}),
        (A_PERSON | A_BROWSER, A_PERSON),
        (A_PERSON | A_BROWSER, A_PERSON | ANOTHER_BROWSER),
        (A_PERSON, {"session_id": "ada"}),
        (A_PERSON, NOBODY),
        (A_BROWSER, ANOTHER_BROWSER),
        (A_BROWSER, {"user_id": "browser"}),
        (A_BROWSER, NOBODY),
    ]:
        comparison = await a_comparison(store, **asker)
        with pytest.raises(ComparisonForeign):
            await store.comparisons.record_ballot(a_ballot(comparison, **NOBODY | voter))
    assert (await store.experiments.ballot_counts(None)).ballots == 0


async def test_a_comparison_that_nobody_owns_belongs_to_its_first_voter(store: Store) -> None:
    for first in (A_PERSON, A_BROWSER, NOBODY):
        comparison = await a_comparison(store)
        await store.comparisons.record_ballot(a_ballot(comparison, "a", **first))
        for other in ({"user_id": "bob"}, ANOTHER_BROWSER, NOBODY):
            if other != first:
                with pytest.raises(ComparisonForeign):
                    await store.comparisons.record_ballot(a_ballot(comparison, "b", **other))
        assert (await store.comparisons.record_ballot(a_ballot(comparison, "tie", **first))).outcome == "replaced"


async def test_an_expired_comparison_takes_no_ballot_and_no_change(store: Store, clock: Clock) -> None:
    voted, unvoted = [await a_comparison(store, expires_at=clock.now + 1_000_000) for _ in range(2)]
    await store.comparisons.record_ballot(a_ballot(voted, "a"))
    clock.now += 2_000_000
    with pytest.raises(ComparisonExpired):
        await store.comparisons.record_ballot(a_ballot(unvoted, "a"))
    with pytest.raises(ComparisonExpired):
        await store.comparisons.record_ballot(a_ballot(voted, "b"))
    # A retry whose answer got lost still gets its answer.
    assert (await store.comparisons.record_ballot(a_ballot(voted, "a"))).outcome == "repeated"
    assert (await store.experiments.ballot_counts(None)).wins_prompt == 1


async def test_a_stranger_learns_nothing_but_that_it_is_not_theirs(store: Store, clock: Clock) -> None:
    expired = await a_comparison(store, user_id="ada", expires_at=clock.now)
    with pytest.raises(ComparisonForeign):
        await store.comparisons.record_ballot(a_ballot(expired, user_id="bob"))


async def test_a_bad_ballot_fails_alone(store: Store) -> None:
    comparisons = [await a_comparison(store, user_id=f"u{i}") for i in range(12)]
    ballots = [a_ballot(comparison, "both_bad") for comparison in comparisons]
    bad: dict[int, tuple[Ballot, type[CanopyError]]] = {
        2: (replace(ballots[2], comparison_id="cmp_unknown"), ComparisonNotFound),
        5: (replace(ballots[5], user_id="bob"), ComparisonForeign),
        8: (replace(ballots[8], comment="\ud800"), StoreError),
    }
    outcomes = await asyncio.gather(
        *(store.comparisons.record_ballot(bad[i][0] if i in bad else ballot) for i, ballot in enumerate(ballots)),
        return_exceptions=True,
    )
    for i, outcome in enumerate(outcomes):
        assert isinstance(outcome, bad[i][1] if i in bad else BallotReceipt), (i, outcome)
    assert (await store.experiments.ballot_counts(None)).both_bad == 9
    assert await store.feedback.count(Filter()) == len(await everything(store)) == 18


async def test_ballots_on_one_comparison_that_come_at_once_count_one_after_the_other(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada")
    preferences: list[Preference] = ["a", "both_bad", "both_bad", "b", "tie", "both_bad"] * 4
    receipts = await asyncio.gather(
        *(store.comparisons.record_ballot(a_ballot(comparison, preference)) for preference in preferences)
    )
    assert [receipt.outcome for receipt in receipts] == ["created", "replaced", "repeated", *["replaced"] * 3] + [
        "replaced",
        "replaced",
        "repeated",
        *["replaced"] * 3,
    ] * 3
    assert await store.experiments.ballot_counts(None) == NOTHING._replace(ballots=1, both_bad=1)
    assert await store.feedback.count(Filter()) == 2


async def test_an_experiment_on_models_is_kept_told_with_its_ballots_and_found_by_either(store: Store) -> None:
    of_b: dict[str, Any] = {"model_b": "granite", "temperature_b": 0.5, "max_tokens_b": 9}
    experiment = an_experiment(prompt_b_id="sha256:one", prompt_b_text="Summarize the text.", **of_b)
    comparison = await a_comparison(store, experiment=experiment, prompt_b_side="a")
    receipt = await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    assert (receipt.winner, receipt.model, receipt.model_b) == ("prompt_b", "llama32", "granite")
    assert await store.experiments.all() == [experiment]
    (entry,) = (await store.experiments.ballots(None, 10, None)).entries
    assert entry.models == ("llama32", "granite")

    async def found(prompt_id: str | None, model: str | None) -> int:
        return (await store.experiments.ballot_counts(None, prompt_id=prompt_id, model=model)).ballots

    assert [await found(None, it) for it in ("llama32", "granite", "other")] == [1, 1, 0]
    assert [await found("sha256:one", "granite"), await found("sha256:two", "granite")] == [1, 0]
