"""What votes say after a change of the prompt in force: the same on all replicas and after a start, and told once."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.config.source import ConfigSource
from canopy.experiments.aftermath import AftermathWatch
from canopy.experiments.in_force import WINDOW
from canopy.generation.prompts import prompt_of
from canopy.store.opening import open_store
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.contract.store.records import DOWN, HOUR, Clock, a_comparison, a_generation, a_vote, an_experiment

A, B = "Summarize the text.", "Be brief."
COMMIT = "c" * 40


class Process:
    """One process with values of its own."""

    def __init__(self, store: Store, folder: Path, clock: Clock, prompt: str, **values: Any) -> None:
        self._path = folder / f"{len(list(folder.iterdir()))}" / "values.yaml"
        self._path.parent.mkdir()
        (self._path.parent / "git-revision").write_text(COMMIT)
        self._values = values
        self._write(prompt)
        self._log = io.BytesIO()
        self.metrics = Metrics()
        self.config = ConfigSource(self._path)
        telemetry = Telemetry(Logs("info", self._log), self.metrics, Traces())
        self.watch = AftermathWatch(self.config, store, telemetry, clock=clock)

    def _write(self, prompt: str) -> None:
        block = {"prompt": prompt, "model": "llama32"}
        self._path.write_text(yaml.safe_dump({"summarize": block, **self._values}))

    async def change(self, prompt: str) -> None:
        self._write(prompt)
        for _ in range(2):  # once to see it, once to see that it is whole
            await self.config.reload()
        await self.watch.look()

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    @property
    def since(self) -> list[tuple[str, str, float]]:
        """What is shown as in force: by what change, which prompt, since when."""
        (family,) = self.metrics.variants.since.collect()
        return [(it.labels["change"], it.labels["prompt_id"], it.value) for it in family.samples]

    @property
    def worse(self) -> list[tuple[str, float]]:
        (family,) = self.metrics.variants.worse.collect()
        return [(it.labels["change"], it.value) for it in family.samples]


async def vote(store: Store, prompt: str, people: Sequence[str], **fields: Any) -> None:
    of = {"prompt_id": prompt_of(prompt).id, "prompt_text": prompt, "model": "llama32"}
    generation = a_generation(**of)
    await store.generations.record(generation)
    for name in people:
        await store.feedback.record(a_vote(generation, voter=f"user:{name}", user_id=name, **fields))


def people(kind: str, n: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(n)]


async def tried(store: Store) -> None:
    """An experiment on both prompts."""
    ids = {"prompt_id": prompt_of(A).id, "prompt_text": A, "prompt_b_id": prompt_of(B).id, "prompt_b_text": B}
    await a_comparison(store, experiment=an_experiment(**ids))


async def test_a_promotion_after_which_people_are_less_satisfied_is_told_once_and_shown_by_all(
    store: Store, store_url: str, tmp_path: Path, clock: Clock
) -> None:
    await tried(store)
    replica = open_store(store_url, clock=clock)
    await replica.start()
    one, two = (Process(it, tmp_path, clock, A) for it in (store, replica))
    for process in (one, two):
        await process.watch.look()
    await vote(store, A, people("glad", 40))
    await vote(store, A, people("sad", 5), **DOWN)
    await one.change(B)
    await two.change(B)
    assert one.since == two.since
    assert [it[:2] for it in one.since] == [("promotion", prompt_of(B).id)]
    assert [it["change"] for it in one.events("variant_changed") + two.events("variant_changed")] == ["promotion"]
    await vote(store, B, people("glad", 3))
    await vote(store, B, people("angry", 4), **DOWN)
    await one.watch.look()
    assert (one.worse, one.watch.worse) == ([("promotion", 0)], {})  # chance may still do that
    await vote(store, B, people("angry", 30), **DOWN)
    started = Process(replica, tmp_path, clock, B)
    for process in (one, two, started, one):
        await process.watch.look()
        assert process.worse == [("promotion", 1)]
        assert process.since == one.since
        assert list(process.watch.worse) == ["summarize"]
    (fell,) = [line for process in (one, two, started) for line in process.events("satisfaction_fell")]
    counted = {name: fell[name] for name in ("good_before", "bad_before", "good_after", "bad_after")}
    assert counted == {"good_before": 40, "bad_before": 5, "good_after": 3, "bad_after": 30}
    assert (fell["change"], fell["git_revision"], fell["level"]) == ("promotion", COMMIT, "warning")
    assert "weaker evidence than a comparison: time has changed too" in fell["sentence"]
    assert A not in str(fell) + str(one.events("variant_changed"))
    await one.change(A)
    assert ([it[0] for it in one.since], one.worse, one.watch.worse) == (["rollback"], [("rollback", 0)], {})
    await replica.close()


async def test_a_change_by_hand_hurts_as_much_and_many_votes_of_one_person_do_not(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    assert process.since[0][0] == "first"
    assert process.events("variant_changed") == []
    await vote(store, A, people("glad", 30))
    await process.change(B)
    for _ in range(40):
        await vote(store, B, ["grumbler"], **DOWN)
    await process.watch.look()
    assert process.worse == [("other", 0)]
    await vote(store, B, people("sad", 20), **DOWN)
    await process.watch.look()
    assert process.worse == [("other", 1)]
    assert process.events("satisfaction_fell")[0]["bad_after"] == 21


async def test_votes_count_for_four_weeks_on_both_sides(store: Store, tmp_path: Path, clock: Clock) -> None:
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    await vote(store, A, people("long ago", 30))
    clock.now += WINDOW + HOUR
    await vote(store, A, people("glad", 2))
    await process.change(B)
    (_, first) = await store.variants.known()
    (newest, _) = await store.variants.known()
    assert (newest.before, first.before) == ((2, 0), (0, 0))
    clock.now += WINDOW + HOUR
    await vote(store, B, people("sad", 50), **DOWN)
    await process.watch.look()
    assert process.worse == [("other", 0)]


@pytest.mark.parametrize("worse_before", [False, True])
async def test_a_change_soon_after_another_hides_nothing(
    store: Store, tmp_path: Path, clock: Clock, worse_before: bool
) -> None:
    """Whether nobody has voted on what was in between, or it was bad, as seen by a look or not yet."""
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    await vote(store, A, people("glad", 60))
    await process.change(B)
    if worse_before:
        await vote(store, B, people("sad", 40), **DOWN)
    clock.now += HOUR // 60
    await process.change(B + "!")
    assert (await store.variants.known())[0].before == (60, 0)
    await vote(store, B + "!", people("angry", 30), **DOWN)
    await process.watch.look()
    assert process.worse == [("other", 1)]
    clock.now += HOUR
    await process.change(B + "!!")
    assert (await store.variants.known())[0].before == (60, 0)


async def test_what_is_left_out_takes_none_of_the_four_weeks(store: Store, tmp_path: Path, clock: Clock) -> None:
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    await vote(store, A, people("glad", 60))
    await process.change(B)
    await vote(store, B, people("sad", 40), **DOWN)
    await process.watch.look()
    clock.now += 2 * WINDOW
    await process.change(B + "!")
    assert (await store.variants.known())[0].before == (60, 0)


async def test_what_proved_worse_is_so_until_four_weeks_no_longer_say_it(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    await vote(store, A, people("glad", 60))
    await process.change(B)
    await vote(store, B, people("sad", 60), **DOWN)
    await process.watch.look()
    clock.now += WINDOW + HOUR
    await process.watch.look()
    assert (process.worse, process.watch.worse["summarize"].after) == ([("other", 1)], (0, 60))  # nobody votes any more
    await vote(store, B, people("happy", 40))
    await process.watch.look()
    assert (process.worse, process.watch.worse) == ([("other", 0)], {})
    assert len(process.events("satisfaction_fell")) == 1


async def test_where_nobody_voted_before_nothing_says_that_all_is_well(
    store: Store, tmp_path: Path, clock: Clock
) -> None:
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    await process.change(B)
    await vote(store, B, people("sad", 30), **DOWN)
    await process.watch.look()
    assert ([it[0] for it in process.since], process.worse) == (["other"], [])
    assert [it["people_before"] for it in process.events("variant_changed")] == [0]


@pytest.mark.parametrize("hours", [0, 2])
async def test_a_replica_that_starts_with_the_former_values_changes_nothing_unless_they_stay(
    store: Store, tmp_path: Path, clock: Clock, hours: int
) -> None:
    process = Process(store, tmp_path, clock, A)
    await process.watch.look()
    await process.change(B)
    behind = Process(store, tmp_path, clock, A)
    await behind.watch.look()
    assert [it.producer.prompt_id for it in await store.variants.known()] == [prompt_of(B).id, prompt_of(A).id]
    assert [it[:2] for it in behind.since] == [("first", prompt_of(A).id)]
    clock.now += hours * HOUR
    await behind.watch.look()
    await process.watch.look()
    assert len(await store.variants.known()) == (3 if hours else 2)
    assert [it[:2] for it in process.since] == [("other", prompt_of(B).id)]


async def test_the_webhook_is_told_where_the_values_say_so(store: Store, tmp_path: Path, clock: Clock) -> None:
    webhook = {"enabled": True, "url": "http://hooks.example.com/x", "events": ["worse"]}
    process = Process(store, tmp_path, clock, A, notifications=webhook)
    await process.watch.look()
    await vote(store, A, people("glad", 30))
    await process.change(B)
    await vote(store, B, people("sad", 30), **DOWN)
    await process.watch.look()
    (due,) = await store.variants.claim(1)
    assert (due.variant.change, due.variant.after) == ("other", (0, 30))
