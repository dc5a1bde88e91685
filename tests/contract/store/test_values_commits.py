"""With which commits values came into force, as replicas tell it."""

import asyncio
from pathlib import Path

from canopy.config.source import ConfigSource
from canopy.gitops.commit_record import CommitRecord
from canopy.store.opening import open_store
from canopy.store.store import Store
from canopy.store.values import values_commits
from tests.contract.store.records import Clock


async def test_values_have_the_commit_with_which_they_came_and_those_that_come_back_another(
    store: Store,
) -> None:
    told = [("one", "a"), ("one", "b"), ("two", "c"), ("two", "c"), ("two", "d"), ("one", "e"), ("two", "c")]
    for config_revision, git_revision in told:
        await store.values_commits.record(config_revision, git_revision)
    known = await store.values_commits.known()
    assert [it[:2] for it in known] == [("one", "a"), ("two", "c"), ("one", "e")]
    assert known == sorted(known, key=lambda it: it.first_at)


async def test_replicas_that_tell_it_at_once_are_one(store: Store, store_url: str, clock: Clock) -> None:
    replica = open_store(store_url, clock=clock)
    await replica.start()
    await asyncio.gather(*(it.values_commits.record("one", "a") for it in (store, replica, store, replica)))
    await replica.close()
    assert [it[:2] for it in await store.values_commits.known()] == [("one", "a")]


async def test_the_newest_ones_stay(store: Store) -> None:
    for number in range(values_commits.MOST_COMMITS + 3):
        await store.values_commits.record(f"{number}", f"{number}")
    known = await store.values_commits.known()
    assert len(known) == values_commits.MOST_COMMITS
    assert (known[0].config_revision, known[-1].config_revision) == ("3", f"{values_commits.MOST_COMMITS + 2}")


async def test_what_is_in_force_is_recorded_when_its_commit_is_known(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("{}")
    source = ConfigSource(path)
    record = CommitRecord(source, store.values_commits, interval=1)
    await record.record()
    assert await store.values_commits.known() == []
    for commit in ("a" * 40, "b" * 40):
        (tmp_path / "git-revision").write_text(commit)
        await source.reload()
        await record.record()
    (known,) = await store.values_commits.known()
    assert known[:2] == (source.current.revision, "a" * 40)
