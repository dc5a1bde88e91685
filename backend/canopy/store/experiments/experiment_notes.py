"""Keeps what reviewers write about an experiment, in the order in which they wrote it.

Notes are reviewers' own words: erasing a user leaves them alone, and they go with their experiment.
"""

from collections.abc import Callable, Sequence
from sys import getsizeof
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from canopy.base.errors import CanopyError, ExperimentNotFound, InputError
from canopy.base.ids import new_id
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiment_tables import experiment_notes
from canopy.store.tables import experiments

MOST_NOTES = 200  # of one experiment


class ExperimentNote(NamedTuple):
    """Holds one note. Times are microseconds since the epoch."""

    id: str
    experiment_id: str
    created_at: int
    author: str | None  # None: nobody signs in here
    text: str


class NewNote(NamedTuple):
    """Holds a note that is to be kept."""

    experiment_id: str
    author: str | None
    text: str


class _TakenBack(NamedTuple):
    experiment_id: str
    note_id: str


class ExperimentNoteStore(Facet):
    """Records and reads notes."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock

    async def record(self, note: NewNote) -> ExperimentNote:
        """Store a note. Raises ExperimentNotFound, and InputError where an experiment has enough of them."""
        return await self._executor.write(self._record_each, note, getsizeof(note.text))

    async def take_back(self, experiment_id: str, note_id: str) -> bool:
        """Delete a note; returns whether there was one."""
        return await self._executor.write(self._delete_each, _TakenBack(experiment_id, note_id))

    @reads
    def of_experiment(self, experiment_id: str) -> list[ExperimentNote]:
        """Read the notes on an experiment, oldest first."""
        n = experiment_notes.c
        statement = select(experiment_notes).where(n.experiment_id == experiment_id).order_by(n.created_at, n.id)
        with self._database.reader.connect() as conn:
            return [ExperimentNote._make(row) for row in conn.execute(statement).all()]

    def _record_each(self, conn: Connection, notes: Sequence[NewNote]) -> list[ExperimentNote | CanopyError]:
        return [self._record(conn, note) for note in notes]

    def _record(self, conn: Connection, note: NewNote) -> ExperimentNote | CanopyError:
        e, n = experiments.c, experiment_notes.c
        if conn.execute(select(e.id).where(e.id == note.experiment_id)).first() is None:
            return ExperimentNotFound("There is no experiment with this id.")
        if conn.execute(select(func.count()).where(n.experiment_id == note.experiment_id)).scalar_one() >= MOST_NOTES:
            return InputError(f"This experiment has {MOST_NOTES} notes, which is enough. Delete one before the next.")
        kept = ExperimentNote(new_id("note"), note.experiment_id, self._clock(), note.author, note.text)
        conn.execute(insert(experiment_notes).values(kept._asdict()))
        return kept

    def _delete_each(self, conn: Connection, wanted: Sequence[_TakenBack]) -> list[bool]:
        n = experiment_notes.c
        return [
            conn.execute(
                delete(experiment_notes).where(n.id == it.note_id, n.experiment_id == it.experiment_id)
            ).rowcount
            > 0
            for it in wanted
        ]
