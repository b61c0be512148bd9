"""The message pump: a few tasks run the operations of all sessions, in the order in which messages came.

Waking a task costs more than most operations do. So no session has one of its own for them: whose message has
arrived stands in line, and one task serves the whole line, one operation after the other. The law: who waits
holds nobody up. When an operation does not end in its turn of the loop, another task goes on with the line.
WCF: the I/O thread pool, and the receive pump of ChannelHandler on top of it.
"""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

__all__ = ("MESSAGES_PER_TURN", "TASK_NAME", "TURN", "MessagePump", "Step")

logger = logging.getLogger(__name__)

#: messages of one session that are served in a row, while others stand in line: what has arrived is had
#: without waiting, and one read of the socket holds tens of thousands of small ones
MESSAGES_PER_TURN: Final = 64
#: the same, to be gone through: made once, because every message comes by
TURN: Final = range(MESSAGES_PER_TURN)

#: tasks that are kept for the next time when nobody stands in line
IDLE_TASKS: Final = 16

#: what its tasks are called, for who looks at all the loop's
TASK_NAME: Final = "wsf message pump"

#: what makes the next step of a session, in the task that it is given
Step = Callable[["asyncio.Task[None]"], Coroutine[Any, Any, None]]


class MessagePump:
    """Serves whoever stands in line. One for a host; for its event loop alone.

    What a step sets in a context variable, no other step ever sees; nor does one feel another's cancellation.
    """

    __slots__ = ("_afterwards", "_context", "_is_running", "_line", "_resting", "_tasks")

    def __init__(self) -> None:
        self._line: deque[Step] = deque()
        self._resting: list[asyncio.Future[None]] = []
        self._is_running = False
        self._afterwards: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._context = contextvars.copy_context()

    def put(self, step: Step) -> None:
        """Make this step, after those that were put before. It deals with its own errors."""
        self._line.append(step)
        if not self._is_running:
            self._is_running = True
            self._go_on()

    def afterwards(self, look: Callable[[], None]) -> None:
        """Call this when the step that is being made has ended, or waits."""
        self._afterwards.append(look)
        if not self._is_running:
            self._is_running = True
            asyncio.get_running_loop().call_soon(self._look)

    def rest(self) -> None:
        """Nobody is expected: let the tasks go that are kept for the next time."""
        while self._resting:
            self._resting.pop().cancel()

    def _go_on(self) -> None:
        """Let a task serve the line, and look again when it has ended its turn of the loop, or waits."""
        loop = asyncio.get_running_loop()
        while self._resting:
            rest = self._resting.pop()
            if not rest.done():
                rest.set_result(None)
                break
        else:
            # only the loop's own set knows a task otherwise, and that is weak
            task = loop.create_task(self._serve(), name=TASK_NAME, context=self._context.copy())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        loop.call_soon(self._look)

    def _look(self) -> None:
        looks, self._afterwards = self._afterwards, []
        for look in looks:
            try:
                look()
            except Exception:  # one session's trouble is no other's
                logger.exception("what waits for an operation could not be looked at")
        if self._line:
            self._go_on()
        else:
            self._is_running = False

    async def _serve(self) -> None:
        task, line = cast("asyncio.Task[None]", asyncio.current_task()), self._line
        loop, clean = task.get_loop(), contextvars.copy_context()
        while True:
            # who stands in line again meanwhile has its turn after the loop's others
            for _ in range(len(line)):
                if not line:
                    break
                await line.popleft()(task)
                if task.cancelling() or contextvars.copy_context() != clean:
                    return  # what is left of that step ends with this task
            if len(self._resting) >= IDLE_TASKS:
                return
            rest = loop.create_future()
            self._resting.append(rest)
            await rest
