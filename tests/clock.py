"""The clock of a test's event loop, which the test may put forward.

The law: a test of a timeout gives it minutes and puts the clock forward, instead of giving it fractions of a
second and waiting. However long the machine stands still meanwhile, nothing happens that is not meant.
"""

import asyncio

__all__ = ("Clock",)

#: turns of the event loop: more than anything takes that waits for nothing but its turn
TURNS = 20


class Clock:
    """The running loop's. It goes on as ever, and ahead by what ``forward`` was told.

    It is made before what is to be timed by it. While it is put forward nothing else may be waited for in
    time: an ``asyncio.timeout`` around it would be over, too.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        time, self._ahead = loop.time, 0.0
        loop.time = lambda: time() + self._ahead  # type: ignore[method-assign] # the loop asks itself

    def forward(self, seconds: float) -> None:
        """What is due by then happens in the next turn of the loop; what is due later, so much sooner."""
        self._ahead += seconds

    async def elapse(self, seconds: float) -> None:
        """Put it forward, and let happen what is due and waits for nobody else."""
        self.forward(seconds)
        for _ in range(TURNS):
            await asyncio.sleep(0)
