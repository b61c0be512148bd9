"""receiveTimeout: a session that nobody says anything in is ended. WCF: SessionIdleManager.

The law: a message either way restarts the time, a ping does not, and a running operation is no silence.
"""

import asyncio
import math
from collections.abc import Callable

from wsf.timers import OWN_CONTEXT

__all__ = ("IdleWatch",)


class IdleWatch:
    """One session's.

    Args:
        timeout: s without a message; ``inf``: never.
        is_busy: Whether an operation runs.
        on_idle: Called once, when the time is over.
        sent_at: When the last message went, by the loop's clock.

    Attributes:
        active_at: When the last message came, by the loop's clock: who takes one sets it.
    """

    __slots__ = ("_is_busy", "_loop", "_on_idle", "_sent_at", "_timeout", "_timer", "active_at")

    def __init__(
        self,
        timeout: float,
        is_busy: Callable[[], bool],
        on_idle: Callable[[], None],
        sent_at: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._is_busy = is_busy
        self._on_idle = on_idle
        self._sent_at = sent_at
        self._timer: asyncio.TimerHandle | None = None
        self.active_at = self._loop.time()

    def start(self) -> None:
        """The session begins."""
        if math.isfinite(self._timeout):
            self._timer = self._loop.call_later(self._timeout, self._look, context=OWN_CONTEXT)

    def stop(self) -> None:
        """It has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        rest = self._timeout
        if not self._is_busy():
            rest += max(self.active_at, self._sent_at()) - self._loop.time()
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._look, context=OWN_CONTEXT)
        else:
            self._timer = None
            self._on_idle()
