"""receiveTimeout: a session that nobody says anything in is ended. WCF: SessionIdleManager.

The law: a message either way restarts the time, a ping does not, and a running operation is no silence.
"""

import asyncio
import math
from typing import Protocol

__all__ = ("IdleWatch", "Watched")


class Watched(Protocol):
    """A session, as its watch sees it."""

    @property
    def is_busy(self) -> bool:
        """Whether an operation runs."""
        ...

    @property
    def sent_at(self) -> float:
        """When the last message went, by the loop's clock."""
        ...

    def on_idle(self) -> None:
        """The time is over. Called once."""
        ...


class IdleWatch:
    """One session's.

    Args:
        timeout: s without a message; ``inf``: never.
        session: Whose silence it is.

    Attributes:
        active_at: When the last message came, by the loop's clock: who takes one sets it.
    """

    __slots__ = ("_loop", "_session", "_timeout", "_timer", "active_at")

    def __init__(self, timeout: float, session: Watched) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._session = session
        self._timer: asyncio.TimerHandle | None = None
        self.active_at = self._loop.time()

    def start(self) -> None:
        """The session begins."""
        if math.isfinite(self._timeout):
            self._timer = self._loop.call_later(self._timeout, self._look)

    def stop(self) -> None:
        """It has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        rest = self._timeout
        if not self._session.is_busy:
            rest += max(self.active_at, self._session.sent_at) - self._loop.time()
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._look)
        else:
            self._timer = None
            self._session.on_idle()
