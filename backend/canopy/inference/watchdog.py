"""A limit on silence that costs almost nothing while there is none."""

import asyncio
import math
from types import TracebackType
from typing import Self


class Watchdog:
    """Limits how long a task may wait for the next sign of life. Use it in the task that waits:

        with watchdog:
            data = await read()
        watchdog.restart(30)

    A wait past the deadline is cancelled and raises TimeoutError; `stop` it when there is nothing to wait for any more.
    `asyncio.timeout` does the same, but arms and disarms a timer of the event loop around every wait, which costs more
    than reading a token. This one lets its timer ring at a deadline that has since moved, and then sets it anew.

    No sign of life moves the deadline beyond `total` seconds from the beginning.
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
        """Whether the time is over in which there may be signs of life."""
        return self._loop.time() >= self._end

    def stop(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> Self:
        if self._timer is None:
            # It rang while nobody was waiting: that silence was the reader's, not the model's.
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
            # Someone else may have cancelled the task at the same moment; then it stays cancelled.
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
            # If the process stood still, the token may be there already, a few turns of the loop away from its reader.
            self._timer = self._loop.call_soon(self._ring, turns - 1)
        else:
            self._timer = None
            self._expired = True
            self._waiting.cancel()
