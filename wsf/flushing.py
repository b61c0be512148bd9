"""When what waits is written: once in each turn of the event loop, for all connections by one callback.

A turn of the loop handles everything that has arrived; what it sends meanwhile goes out at its end, each
client's in one write. ``linger`` waits a little longer, and gathers more.
"""

import asyncio
import contextvars
import logging
from typing import Protocol

__all__ = ("FlushSchedule", "Flushable")

logger = logging.getLogger(__name__)


class Flushable(Protocol):
    """What may have something to write."""

    def flush(self, now: float) -> None:
        """Write it. ``now`` is the loop's time."""
        ...


class FlushSchedule:
    """One host's.

    Args:
        linger: s that the first message of a write may wait for others; 0: until the loop's turn ends.

    Attributes:
        context: What is written is written in the context of who made the schedule: whatever an operation of
            one session sends, another's handlers may hear of what comes of it.
    """

    __slots__ = ("_batches", "_is_due", "_linger", "_outboxes", "context")

    def __init__(self, linger: float = 0.0) -> None:
        self._linger = linger
        self.context = contextvars.copy_context()
        self._is_due = False
        self._batches: list[Flushable] = []
        self._outboxes: list[Flushable] = []

    def add(self, outbox: Flushable) -> None:
        """Have one connection's messages written, soon."""
        self._outboxes.append(outbox)
        if not self._is_due:
            self._set_due()

    def add_batch(self, batch: Flushable) -> None:
        """Have what many connections share written, before what each has for itself."""
        self._batches.append(batch)
        if not self._is_due:
            self._set_due()

    def _set_due(self) -> None:
        self._is_due = True
        loop = asyncio.get_running_loop()
        if self._linger:
            loop.call_later(self._linger, self._flush, context=self.context)
        else:
            loop.call_soon(self._flush, context=self.context)

    def _flush(self) -> None:
        now = asyncio.get_running_loop().time()
        batches, self._batches = self._batches, []
        _flush_all(batches, now)  # what these hand to an outbox goes out with the rest, now
        outboxes, self._outboxes = self._outboxes, []
        self._is_due = False
        if self._batches:
            self._set_due()
        _flush_all(outboxes, now)


def _flush_all(flushables: list[Flushable], now: float) -> None:
    for flushable in flushables:
        try:
            flushable.flush(now)
        except Exception:  # one connection's trouble is no other's
            logger.exception("what waited could not be written")
