"""Notes on experiments, and the words that experiments have from the values."""

import pytest

from canopy.base.errors import ExperimentNotFound, InputError
from canopy.store.experiments.experiment_notes import MOST_NOTES, NewNote
from canopy.store.store import Store
from tests.contract.store.records import NOON, a_comparison, an_experiment

ID = an_experiment().id


async def test_notes_say_who_wrote_them_and_when(store: Store) -> None:
    await a_comparison(store)
    one = await store.experiment_notes.record(NewNote(ID, "ada", "The team saw it on Monday."))
    two = await store.experiment_notes.record(NewNote(ID, None, "A\nsecond 🌱"))
    assert await store.experiment_notes.of_experiment(ID) == [one, two]
    assert (one.author, one.text, two.author, two.text) == ("ada", "The team saw it on Monday.", None, "A\nsecond 🌱")
    assert NOON <= one.created_at < two.created_at


async def test_a_note_is_taken_back_where_it_is(store: Store) -> None:
    await a_comparison(store)
    note = await store.experiment_notes.record(NewNote(ID, "ada", "Wrong."))
    assert not await store.experiment_notes.take_back("exp_other", note.id)
    assert await store.experiment_notes.take_back(ID, note.id)
    assert not await store.experiment_notes.take_back(ID, note.id)
    assert await store.experiment_notes.of_experiment(ID) == []


async def test_notes_are_on_an_experiment_and_not_without_end(store: Store) -> None:
    with pytest.raises(ExperimentNotFound):
        await store.experiment_notes.record(NewNote(ID, "ada", "Of what?"))
    await a_comparison(store)
    for number in range(MOST_NOTES):
        await store.experiment_notes.record(NewNote(ID, "ada", f"Note {number}"))
    with pytest.raises(InputError, match="200 notes"):
        await store.experiment_notes.record(NewNote(ID, "ada", "One more"))


async def test_notes_stay_when_their_author_is_erased_and_go_with_the_experiment(store: Store) -> None:
    await a_comparison(store, user_id="ben")
    await store.experiment_notes.record(NewNote(ID, "ada", "Kept."))
    await store.deletion.erase(user_id="ada")
    assert [it.text for it in await store.experiment_notes.of_experiment(ID)] == ["Kept."]
    await store.deletion.erase(user_id="ben")
    assert await store.experiment_notes.of_experiment(ID) == []


async def test_the_words_of_an_experiment_are_the_last_that_were_given(store: Store) -> None:
    async def words(**fields: str) -> tuple[str | None, str | None]:
        await a_comparison(store, experiment=an_experiment(**fields))
        (experiment,) = await store.experiments.all()
        return experiment.name, experiment.hypothesis

    assert await words() == (None, None)
    assert await words(name="Brevity", hypothesis="Shorter is better.") == ("Brevity", "Shorter is better.")
    assert await words(name="Brevity II") == ("Brevity II", "Shorter is better.")
    assert await words() == ("Brevity II", "Shorter is better.")
