"""Gates: so many at a time, the rest in a queue, first come, first served.

One class serves every such bound: running calls, open sessions, the one operation inside a service object.
WCF: ServiceThrottle, FlowThrottle.
"""

import asyncio
from collections import deque

__all__ = ("Gate",)


class Gate:
    """``limit`` places. Whoever enters must leave; a place that is left goes to who waits longest."""

    __slots__ = ("_waiters", "active", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return sum(not waiter.done() for waiter in self._waiters)

    def try_enter(self) -> bool:
        """Take a place if one is free and nobody waits for it: the way in that costs nothing."""
        if self.active < self.limit and not self._waiters:
            self.active += 1
            return True
        return False

    async def enter(self) -> None:
        """Take a place, after everybody who came before."""
        if self.try_enter():
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the place had been given to us in the same turn
            elif waiter in self._waiters:  # leave() has not passed it over yet
                self._waiters.remove(waiter)
            raise

    def leave(self) -> None:
        """Give the place to the next in the queue, or back."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.active -= 1
