"""Whether a silent peer still lives: a ping after an interval of silence, and a deadline for any sound of it.

The law: only the peer's own silence counts. While we do not read, or cannot write, the deadline stands still;
and what has arrived meanwhile is looked at before anybody is given up.
"""

import asyncio
import math
from typing import Final, Protocol

__all__ = ("KeepAlive", "Line")

#: s between a missed deadline and the end: a loop that was held up, or reading that has only just begun
#: again, has not heard yet what the kernel holds
LAST_LOOK: Final = 0.05


class Line(Protocol):
    """What is known of the way to a peer and back."""

    @property
    def heard_at(self) -> float:
        """The loop's time when the last byte arrived."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether a ping would go out now, and its answer would be read."""
        ...

    def send_ping(self) -> None:
        """Ask the peer for a sign of life."""
        ...

    def on_dead(self) -> None:
        """The deadline is missed. Called once; nothing follows."""
        ...


class KeepAlive:
    """Pings one peer, and tells when it is dead, though its TCP may still acknowledge.

    Args:
        line: The way to the peer and back.
        interval: s of silence until a ping; half of it until an answer is due. ``inf``: nothing is done.
    """

    __slots__ = ("_interval", "_is_late", "_line", "_loop", "_next", "_pinged_at")

    def __init__(self, line: Line, interval: float) -> None:
        self._line: Line | None = line
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._pinged_at: float | None = None
        self._is_late = False
        self._next: asyncio.TimerHandle | None = None
        if math.isfinite(interval):
            self._next = self._loop.call_later(interval, self.look)

    def stop(self) -> None:
        """The peer need not show any more that it lives. For good; the line is known no longer."""
        self._line = None
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def look(self) -> None:
        """What is the peer up to? The timer asks; it is set anew unless the peer is dead."""
        line = self._line
        if line is None:
            return
        if not line.is_free:
            self._pinged_at, wait = None, self._interval / 2  # sendTimeout watches who takes nothing
        elif self._pinged_at is None or line.heard_at >= self._pinged_at:
            wait = self._ping_when_silent(line)
        elif not self._is_late:
            self._is_late, wait = True, LAST_LOOK
        else:
            self._next = None
            line.on_dead()
            return
        self._next = self._loop.call_later(wait, self.look)

    def _ping_when_silent(self, line: Line) -> float:
        """Ping who has been silent for an interval: s until the next look."""
        now = self._loop.time()
        self._pinged_at, self._is_late = None, False
        wait = line.heard_at + self._interval - now
        if wait > 0:
            return wait
        self._pinged_at = now
        line.send_ping()
        return self._interval / 2
