"""Comparisons and the ballots on them: what is stored, who may vote, and when."""

from canopy.store import Store
from canopy.store.ab import BallotCounts
from tests.contract.store.records import a_ballot, a_comparison, an_experiment


async def test_a_ballot_is_stored_with_the_prompt_that_won(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada", prompt_b_side="a")
    receipt = await store.record_ballot(a_ballot(comparison, "a", comment="Clear.", reasons=("short",)))
    assert (receipt.outcome, receipt.preference, receipt.winner) == ("created", "a", "prompt_b")
    assert receipt.winning_prompt_id == "sha256:two"
    assert await store.experiments() == [an_experiment()]
    assert await store.ballot_counts(None) == BallotCounts(1, 0, 1, 0, 0, 1, 1)
    (entry,) = (await store.ballots(None, 10, None)).entries
    assert (entry.comment, entry.reasons, entry.response_a) == ("Clear.", ["short"], "Response a.")
    again = await store.record_ballot(a_ballot(comparison, "both_bad"))
    assert again.outcome == "replaced"
    (first,) = await store.first_ballots(comparison.experiment.id)
    assert (first.preference, first.winner) == ("both_bad", None)
