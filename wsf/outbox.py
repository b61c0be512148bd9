"""One connection's way out: what waits for a client, bounded in bytes and in messages.

The law: ``append`` never waits. All that waits goes out in one write per turn of the event loop, at most
64 KiB at a time; the rest stays messages. A client over a bound is aborted, and so is one that takes nothing
for ``sendTimeout``: by a timer that does not depend on the write path.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from wsf.errors import SlowClientError
from wsf.transports import Connection

__all__ = ("Outbox",)

#: bytes given to the socket at a time: enough for its best throughput, little enough to stay in our hands
MAX_WRITE_BYTES: Final = 64 * 1024

#: s between two looks at a client that takes nothing: sendTimeout is met within this
WATCH_INTERVAL: Final = 0.5


class Outbox:
    """What waits for one client, in order.

    Args:
        connection: Where it goes; its ``drained`` becomes the outbox's.
        max_bytes, max_messages: The bounds. A larger message is accepted when nothing else waits.
        send_timeout: s without progress until the client is given up; ``inf``: never.
        on_slow: Called once, with the reason, when the client is to be aborted.

    Attributes:
        size, size_most: Bytes that wait now; the most that ever did.
        messages_most: The most messages that ever waited.
    """

    __slots__ = (
        "_connection",
        "_drained",
        "_frames",
        "_is_blocked",
        "_is_closed",
        "_loop",
        "_on_slow",
        "_progress_at",
        "_relieved",
        "_scheduled",
        "_send_timeout",
        "_unsent",
        "_watch",
        "max_bytes",
        "max_messages",
        "messages_most",
        "size",
        "size_most",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        max_bytes: int,
        max_messages: int,
        send_timeout: float,
        on_slow: Callable[[SlowClientError], None],
    ) -> None:
        self._connection = connection
        connection.drained = self._on_drained
        connection.filled = self._on_filled
        self._loop = asyncio.get_running_loop()
        self._frames: deque[bytes] = deque()
        self._send_timeout = send_timeout
        self._on_slow = on_slow
        self._scheduled: asyncio.Handle | None = None
        self._is_blocked = False
        self._is_closed = False
        self._watch: asyncio.TimerHandle | None = None
        self._progress_at = 0.0
        self._unsent = 0
        self._drained: asyncio.Future[None] | None = None
        self._relieved: asyncio.Future[None] | None = None
        self.size = 0
        self.size_most = 0
        self.messages_most = 0
        self.max_bytes = max_bytes
        self.max_messages = max_messages

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._frames)

    def append(self, frame: bytes) -> None:
        """Accept a frame for this client, after those before it; or, over a bound, give the client up."""
        if self._is_closed:
            return
        if self._is_over(len(frame)):
            self.flush()  # a burst within one turn is our doing, not the client's
            if self._is_over(len(frame)):
                self._give_up(SlowClientError(self._overflow(len(frame))))
                return
        self._frames.append(frame)
        self.size += len(frame)
        self.size_most = max(self.size_most, self.size)
        self.messages_most = max(self.messages_most, len(self._frames))
        if self._scheduled is None and not self._is_blocked:
            self._scheduled = self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Give the socket what it takes now."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        while self._frames and not self._is_blocked and not self._is_closed:
            self._is_blocked = not self._connection.write(self._batch())
        self._guard()
        self._report_drained()

    def _on_filled(self) -> None:
        """The socket is full, by whatever was written: a pong, too."""
        self._is_blocked = True
        self._guard()

    def _guard(self) -> None:
        if self._is_closed:
            return
        if self._is_blocked and self._watch is None and self._send_timeout < float("inf"):
            self._unsent = self._connection.unsent
            self._progress_at = self._loop.time()
            self._watch = self._loop.call_later(self._watch_interval, self._look)

    @property
    def is_filling(self) -> bool:
        """Whether half of a bound is met: who fills it had better wait."""
        return self.size * 2 > self.max_bytes or len(self._frames) * 2 > self.max_messages

    async def relieve(self) -> None:
        """Wait until it is filling no more, or closed: ``send_timeout`` ends a client that takes nothing."""
        self.flush()
        if self.is_filling and not self._is_closed:
            if self._relieved is None:
                self._relieved = self._loop.create_future()
            await asyncio.shield(self._relieved)

    async def drain(self) -> None:
        """Wait until the socket has taken everything, or the outbox is closed."""
        self.flush()
        if (self._frames or self._is_blocked) and not self._is_closed:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    def close(self) -> None:
        """Drop what waits; nothing is accepted any more."""
        self._is_closed = True
        self._frames.clear()
        self.size = 0
        if self._watch is not None:
            self._watch.cancel()
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._report_drained()

    @property
    def _watch_interval(self) -> float:
        return min(WATCH_INTERVAL, self._send_timeout / 4)

    def _is_over(self, size: int) -> bool:
        return bool(self._frames) and (
            self.size + size > self.max_bytes or len(self._frames) >= self.max_messages
        )

    def _overflow(self, size: int) -> str:
        if len(self._frames) >= self.max_messages:
            return f"slow client: more than {self.max_messages} messages wait for it (outbox maxMessages)"
        return f"slow client: more than {self.max_bytes} bytes wait for it (outbox maxBytes)"

    def _batch(self) -> bytes:
        """As many whole frames as go into one write; at least one."""
        frames = self._frames
        batch = [frames.popleft()]
        size = len(batch[0])
        while frames and size + len(frames[0]) <= MAX_WRITE_BYTES:
            size += len(frames[0])
            batch.append(frames.popleft())
        self.size -= size
        return batch[0] if len(batch) == 1 else b"".join(batch)

    def _on_drained(self) -> None:
        self._is_blocked = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self.flush()

    def _look(self) -> None:
        """Has the client taken anything since the last look?"""
        now, unsent = self._loop.time(), self._connection.unsent
        if unsent < self._unsent:  # it may grow, too, by what is not the outbox's: TLS answers for itself
            self._progress_at = now
        self._unsent = unsent
        if now - self._progress_at >= self._send_timeout:
            reason = f"slow client: took nothing for {self._send_timeout:g} s (sendTimeout)"
            self._give_up(SlowClientError(reason, is_timeout=True))
        else:
            self._watch = self._loop.call_later(self._watch_interval, self._look)

    def _give_up(self, error: SlowClientError) -> None:
        self.close()
        self._on_slow(error)

    def _report_drained(self) -> None:
        if self._relieved is not None and (self._is_closed or not self.is_filling):
            relieved, self._relieved = self._relieved, None
            if not relieved.done():
                relieved.set_result(None)
        if self._drained is not None and (self._is_closed or not (self._frames or self._is_blocked)):
            drained, self._drained = self._drained, None
            if not drained.done():
                drained.set_result(None)
