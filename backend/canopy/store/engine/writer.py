"""Commits in groups: one thread writes, and writes that wait share a transaction. How much may wait has a bound."""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from sqlalchemy import Connection

from canopy.base.background import run_forever
from canopy.base.errors import CanopyError, StoreError
from canopy.store.engine.causes import cause
from canopy.store.engine.database import UNAVAILABLE, Database, is_database_failure, is_read_only, store_error

_BATCH = 256  # writes in one transaction, or somewhat more
_BATCH_BYTES = 4 * 2**20  # of memory, or at most about twice as many; a slow database has them within its patience
_WAITING_BYTES = 32 * 2**20  # of memory, of everything that waits and is written
_EACH = 16_384  # bytes that a write takes beside its texts, with the request that waits for it
_SHARE = 4  # one write takes at most this part of the room that is left, so that short ones find some behind long ones
_PATIENCE = 15.0  # seconds in which a transaction is over, longer than replicas wait for each other
_LOOK = 1.0  # seconds between two looks whether it is
_SLOW = 4.0  # seconds after which a failure was one of waiting
_FULL = "Too much waits to be saved already. Please try again in a moment."
_SLOWER = "Clients send more than the database takes in: is it slow, or does one of them send far more than the others?"
_HANGS = "The database doesn't finish a write: is its disk or its volume stuck, or does another process hold a lock?"

# Does the writes of one kind that follow each other, in one transaction with others. Answers for each with its result,
# or with the error that is its own and has written nothing. Raises what the database raises; then nothing is written.
type Handler[T, R] = Callable[[Connection, Sequence[T]], Sequence[R | CanopyError]]


class _Job(NamedTuple):
    handler: Handler[Any, Any]
    item: Any
    size: int
    future: asyncio.Future[Any]


class _CommitError(Exception):
    """The commit failed, so that nobody knows whether the transaction is in the database."""


class Writer:
    """Writes in a thread of its own, first come, first served.

    `submit` and `close` belong to the event loop in which `start` was called.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._forgets: list[Callable[[], None]] = []
        self._queue: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._submitted: list[_Job] = []  # in this turn of the event loop
        self._submitted_bytes = 0
        self._held = 0  # bytes of all jobs that are not over
        self._thread = threading.Thread(target=self._run, name="canopy-store-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watching: asyncio.Task[None] | None = None
        self._jobs: list[_Job] = []  # that the thread does now
        self._began = 0.0  # its transaction, by `time.monotonic`
        self._hung = False  # since a write took too long, until one has gone through
        self._open = False

    def start(self) -> None:
        """Begin to write."""
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._thread.start()
        self._watching = asyncio.create_task(run_forever(self._watch))

    async def close(self) -> None:
        """Commit what waits, and end."""
        if self._open:
            self._hand_over()
            self._open = False
            self._queue.put(None)
        if self._loop is not None:
            await asyncio.to_thread(self._end)
        if self._watching is not None:
            self._watching.cancel()

    def call_on_invalidation(self, forget: Callable[[], None]) -> None:
        """Call `forget`, in the writer's thread, when what handlers remember of the database may no longer be true.

        That is when what they did was rolled back, and when another process wrote.
        """
        self._forgets.append(forget)

    async def submit[T, R](self, handler: Handler[T, R], item: T, size: int = 0, *, reserve: bool = False) -> R:
        """Return the handler's answer for this item after the commit. Cancelling stops the waiting, not the write.

        `size` is what the item's texts take of the memory, in bytes. Raises StoreError at once where too much waits
        already. With `reserve` there is as much room again, for items whose loss would waste work that was done.
        """
        if self._loop is None or not self._open:
            raise StoreError("The store is closed.")
        if self._hangs:
            raise StoreError(UNAVAILABLE, retry_after=5, reason=_HANGS)
        size += _EACH
        room = _WAITING_BYTES - self._held
        if self._held and size > (room + _WAITING_BYTES if reserve else room // _SHARE):
            raise StoreError(_FULL, retry_after=5, reason=_SLOWER)
        future: asyncio.Future[R] = self._loop.create_future()
        if not self._submitted:
            self._loop.call_soon(self._hand_over)
        self._submitted.append(_Job(handler, item, size, future))
        self._held += size
        self._submitted_bytes += size
        if self._submitted_bytes >= _BATCH_BYTES:
            self._hand_over()
        return await future

    async def check(self) -> None:
        """Write nothing, if a write hung and none has gone through since. Raises StoreError while that is so."""
        if self._hung:
            await self.submit(_nothing, None, reserve=True)

    @property
    def _hangs(self) -> bool:
        return bool(self._jobs) and time.monotonic() - self._began > _PATIENCE

    async def _watch(self) -> None:
        """Answer whoever waits for a transaction that doesn't end. The thread itself can't be helped."""
        while True:
            await asyncio.sleep(_LOOK)
            if self._hangs:
                self._hung = True
                jobs = self._jobs
                _settle(jobs, [_uncertain(None)] * len(jobs))
                self._abandon([], StoreError(UNAVAILABLE, retry_after=5, reason=_HANGS))

    def _end(self) -> None:
        """Wait for the thread, but not for a transaction that hangs."""
        while self._thread.is_alive() and not self._hangs:
            self._thread.join(_LOOK)

    def _hand_over(self) -> None:
        """Give the thread what was submitted in one turn of the loop together: waking it costs more than one write."""
        if not self._submitted:  # `close` was faster
            return
        self._queue.put(self._submitted)
        self._submitted, self._submitted_bytes = [], 0
        if not self._open:  # the thread has just died, perhaps too early to see these jobs
            self._abandon([], StoreError("The store has stopped."))

    def _run(self) -> None:
        jobs: list[_Job] = []
        try:
            while jobs := self._take():
                self._began, self._jobs = time.monotonic(), jobs
                outcomes = self._write(jobs)
                self._jobs = []
                self._resolve(jobs, outcomes)
                del outcomes
                jobs = []  # or their texts would stay until the next ones come
        finally:
            # Empty unless the thread dies of something that no transaction can be blamed for.
            self._open = False
            self._abandon(jobs, StoreError("The store has stopped."))

    def _take(self) -> list[_Job]:
        """Return what waits, at least one job; nothing when it's time to end."""
        jobs = self._queue.get()
        if jobs is None:
            return []
        size = _sum(jobs)
        with contextlib.suppress(Empty):
            while len(jobs) < _BATCH and size < _BATCH_BYTES:
                more = self._queue.get_nowait()
                if more is None:
                    self._queue.put(None)  # the last thing in the queue stays the last
                    break
                jobs += more
                size += _sum(more)
        return jobs

    def _write(self, jobs: Sequence[_Job]) -> Sequence[Any]:
        try:
            return self._transaction(jobs)
        except _CommitError as error:
            return [_uncertain(error)] * len(jobs)
        except BaseException:  # noqa: BLE001  # whatever it is, it comes again for the job whose fault it is
            return self._one_by_one(jobs)

    def _one_by_one(self, jobs: Sequence[_Job]) -> list[Any]:
        """Write each in its own transaction, so that only the bad ones fail; a lost connection is replaced."""
        outcomes: list[Any] = []
        for job in jobs:
            try:
                outcomes += self._transaction([job])
            except _CommitError as error:
                outcomes.append(_uncertain(error))
            except BaseException as error:  # noqa: BLE001  # a library's panic too: the callers wait for an answer
                outcomes.append(_caused(error))
                if is_database_failure(error):
                    self._hung = self._hung or time.monotonic() - self._began > _SLOW
                    break  # the others need not wait for the same time-out, one after the other
        return outcomes + outcomes[-1:] * (len(jobs) - len(outcomes))

    def _transaction(self, jobs: Sequence[_Job]) -> list[Any]:
        outcomes: list[Any] = []
        self._began = time.monotonic()
        with self._database.writer.connect() as conn:
            transaction = conn.begin()
            try:
                self._database.lock(conn)
                if self._database.changed_by_others(conn):
                    self._forget()
                for handler, group in itertools.groupby(jobs, key=lambda job: job.handler):
                    outcomes += handler(conn, [job.item for job in group])
            except BaseException as error:
                self._forget()
                # The first error counts. A connection that is lost can't roll back, and needn't.
                with contextlib.suppress(Exception):
                    transaction.rollback()
                if is_read_only(error):
                    conn.invalidate()  # the next one may lead to the primary
                raise
            try:
                transaction.commit()
            except Exception as error:
                self._forget()
                conn.invalidate()
                raise _CommitError from error
        self._hung = False
        return outcomes

    def _forget(self) -> None:
        for forget in self._forgets:
            forget()

    def _resolve(self, jobs: Sequence[_Job], outcomes: Sequence[Any]) -> None:
        assert self._loop is not None  # noqa: S101  # for the type checker: the thread starts after it is set
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._over, jobs, outcomes)

    def _over(self, jobs: Sequence[_Job], outcomes: Sequence[Any]) -> None:
        self._held -= _sum(jobs)
        _settle(jobs, outcomes)

    def _abandon(self, jobs: list[_Job], why: StoreError) -> None:
        """Fail what was taken and what waits."""
        ends = False
        with contextlib.suppress(Empty):
            while True:
                more = self._queue.get_nowait()
                ends = ends or more is None
                jobs += more or ()
        if ends:
            self._queue.put(None)
        if jobs:
            self._resolve(jobs, [why] * len(jobs))


def _sum(jobs: Sequence[_Job]) -> int:
    return sum(job.size for job in jobs)


def _nothing(_: Connection, items: Sequence[None]) -> Sequence[None]:
    return items


def _settle(jobs: Sequence[_Job], outcomes: Sequence[Any]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.future.done():  # cancelled: nobody waits any more
            continue
        if isinstance(outcome, CanopyError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)


def _caused(error: BaseException) -> StoreError:
    outcome = store_error(error)
    outcome.__cause__ = error
    return outcome


def _uncertain(error: _CommitError | None) -> StoreError:
    outcome = StoreError(
        "The database broke off while it was saving. Please try again with the same `Idempotency-Key`.",
        retry_after=5,
        reason=cause(error.__cause__) if error and error.__cause__ else _HANGS,
    )
    outcome.__cause__ = error.__cause__ if error else None
    return outcome
