"""Limits many short waits, cheaply."""

import asyncio
import math
from types import TracebackType
from typing import Self


class Watchdog:
    """Limits how long a task may wait for the next event. Use it in the task that waits:

        with watchdog:
            data = await read()
        watchdog.restart(30)

    A wait past the deadline is cancelled and raises TimeoutError; call `stop` when there is nothing left to wait for.
    `asyncio.timeout` does the same, but sets and cancels a timer of the event loop for every wait, which costs more
    than reading a token. Here the timer stays, and is set anew when it fires before a deadline that has moved since.

    No `restart` moves the deadline beyond `total` seconds from the beginning.
    """

    def __init__(self, limit: float, total: float = math.inf) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._end = self._loop.time() + total
        self._deadline = min(self._loop.time() + limit, self._end)
        self._timer: asyncio.Handle | None = None
        self._set_timer()
        self._waiting: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False

    def restart(self, limit: float) -> None:
        """Allow `limit` seconds from now."""
        self._limit = limit
        self._deadline = min(self._loop.time() + limit, self._end)
        if self._deadline < self._rings_at:
            self._set_timer()

    @property
    def ended(self) -> bool:
        """Return whether the `total` time is used up."""
        return self._loop.time() >= self._end

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> Self:
        if self._timer is None:
            # The deadline passed while nobody was waiting: the reader was slow, not the model.
            self._deadline = min(self._loop.time() + self._limit, self._end)
            self._set_timer()
        self._waiting = task = asyncio.current_task()
        self._cancelling = task.cancelling() if task else 0
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._waiting = self._waiting, None
        if self._expired and task is not None:
            self._expired = False
            # Somebody else may have cancelled the task at the same time; then it stays cancelled.
            if task.uncancel() <= self._cancelling and exc_type is asyncio.CancelledError:
                raise TimeoutError from exc

    def _set_timer(self) -> None:
        self.stop()
        self._rings_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self, turns: int = 3) -> None:
        if self._loop.time() < self._deadline:
            self._set_timer()
        elif self._waiting is None:
            self._timer = None
        elif turns:
            # If the process was suspended, the token may have arrived and need a few loop iterations to be read.
            self._timer = self._loop.call_soon(self._ring, turns - 1)
        else:
            self._timer = None
            self._expired = True
            self._waiting.cancel()
