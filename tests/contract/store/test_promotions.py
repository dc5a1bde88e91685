"""What Git's side tells of promotions is kept, once for each statement, and not without end."""

import asyncio
from dataclasses import replace

import pytest

from canopy.store.experiments import promotions
from canopy.store.experiments.promotions import PromotionInBrief, ToldPromotion
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import NOON, Clock, a_ballot, a_comparison

TOLD = ToldPromotion(
    git_revision="a" * 40,
    digest="d1",
    made_at=NOON,
    action="promote",
    feature="summarize",
    experiment_id="exp_1",
    prompt_id="sha256:a",
    prompt_b_id="sha256:b",
    findings=(),
    statement='{"forced": "Wichtig: ß, \\u0000"}',
)


async def test_the_newest_comes_first_and_what_was_told_again_stands_once(store: Store) -> None:
    wrong = replace(TOLD, git_revision="b" * 40, digest="d2", made_at=NOON + 1, findings=("A digest is another.", "ß"))
    for it in (TOLD, wrong, TOLD):
        await store.promotions.record(it)
    told = await store.promotions.known()
    assert [it for it, _ in told] == [wrong, TOLD]
    assert [it.verified for it, _ in told] == [False, True]
    assert all(isinstance(at, int) for _, at in told)
    assert await store.promotions.in_brief() == [
        PromotionInBrief("a" * 40, NOON, "promote", "summarize", "exp_1", "sha256:a", "sha256:b")
    ]
    squashed = replace(TOLD, git_revision="c" * 40)  # the same statement by another commit
    await store.promotions.record(squashed)
    amended = replace(wrong, digest="d3", findings=())  # another one by the same commit
    await store.promotions.record(amended)
    assert [it for it, _ in await store.promotions.known()] == [amended, squashed]


async def test_replicas_that_are_told_at_once_keep_one(store: Store, store_url: str, clock: Clock) -> None:
    replica = open_store(store_url, clock=clock)
    await replica.start()
    await asyncio.gather(*(it.promotions.record(TOLD) for it in (store, replica, store, replica)))
    await replica.close()
    assert len(await store.promotions.known()) == 1


async def test_those_told_first_go_when_there_are_many_whenever_they_say_they_were_made(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotions, "MOST_PROMOTIONS", 3)
    for number in (2, 4, 0, 3, 1):
        await store.promotions.record(replace(TOLD, git_revision=f"{number}", digest=f"{number}", made_at=number))
    assert [it.git_revision for it, _ in await store.promotions.known()] == ["3", "1", "0"]
    clock.now -= 60_000  # another replica's is behind
    await store.promotions.record(replace(TOLD, git_revision="5", digest="5", made_at=0))
    assert [it.git_revision for it, _ in await store.promotions.known()] == ["3", "1", "5"]


async def test_what_was_found_is_not_forgotten_when_somebody_tells_it_who_did_not_look(store: Store) -> None:
    for it in (replace(TOLD, findings=("ß",)), replace(TOLD, findings=None)):
        await store.promotions.record(it)
    ((told, _),) = await store.promotions.known()
    assert told.findings == ("ß",)
    await store.promotions.record(replace(TOLD, git_revision="b" * 40, findings=None))
    ((told, _),) = await store.promotions.known()
    assert (told.verified, told.findings, await store.promotions.in_brief()) == (False, None, [])


async def test_evidence_outlives_its_experiment_and_has_nobody_to_erase(store: Store) -> None:
    await store.comparisons.record_ballot(a_ballot(await a_comparison(store, user_id="ada"), "a"))
    (experiment,) = await store.experiments.all()
    await store.promotions.record(replace(TOLD, experiment_id=experiment.id))
    await store.deletion.erase(user_id="ada")
    await store.deletion.prune(NOON * 2)
    assert await store.experiments.all() == []
    assert len(await store.promotions.known()) == 1
