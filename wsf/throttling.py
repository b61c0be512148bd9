"""Gates: so many at a time, the rest in a queue, first come, first served.

One class serves every such bound: running calls, open sessions, live objects, the one operation inside a
service object. WCF: ServiceThrottle, FlowThrottle.
"""

import asyncio
from collections import deque
from typing import Final

__all__ = ("UNLIMITED", "Gate")

#: places of the gate that is no gate
UNLIMITED: Final = 2**63


class Gate:
    """``limit`` places. Whoever enters must leave; a place that is left goes to who waits longest.

    Who comes back (``enter(again=True)``) goes before who comes for the first time.
    """

    __slots__ = ("_returning", "_waiters", "active", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active = 0
        self._waiters: deque[asyncio.Future[bool]] = deque()
        self._returning: deque[asyncio.Future[bool]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return sum(not waiter.done() for waiter in (*self._returning, *self._waiters))

    def try_enter(self) -> bool:
        """Take a place if one is free and nobody waits for it: the way in that costs nothing."""
        if self.active < self.limit and not self._waiters and not self._returning:
            self.active += 1
            return True
        return False

    async def enter(self, *, again: bool = False) -> bool:
        """Take a place, after everybody who came before. False: ``dismiss`` came first, and there is none."""
        if self.try_enter():
            return True
        queue = self._returning if again else self._waiters
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.leave()  # the place had been given to us in the same turn
            elif waiter in queue:  # leave() has not passed it over yet
                queue.remove(waiter)
            raise

    def leave(self) -> None:
        """Give the place to the next in the queue, or back."""
        while self._returning or self._waiters:
            waiter = (self._returning or self._waiters).popleft()
            if not waiter.done():
                waiter.set_result(True)
                return
        self.active -= 1

    def dismiss(self) -> None:
        """Send away who waits: there will be no place."""
        for queue in (self._returning, self._waiters):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(False)
