"""One connection's way out: what waits for a client, bounded in bytes and in messages.

The law: accepting a message never waits, unless its operation says ``block``. All that waits goes out in one
write per turn of the event loop, at most 64 KiB at a time; the rest stays messages, for policies to act on.
A client over a bound is cut, and so is one that takes nothing for ``sendTimeout``: by a timer that does not
depend on the write path.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from wsf.counters import Meter
from wsf.delivery import Outlet
from wsf.errors import SlowClientError
from wsf.flushing import FlushSchedule
from wsf.settings import finite
from wsf.transports import Connection
from wsf.waiting import Offer, WaitingMessages

__all__ = ("MAX_WRITE_BYTES", "Outbox", "Shared")

#: bytes given to the socket at a time: enough for its best throughput, little enough to stay in our hands
MAX_WRITE_BYTES: Final = 64 * 1024

#: s between two looks at a client that takes nothing: sendTimeout is met within this
WATCH_INTERVAL: Final = 0.5


class Shared(Protocol):
    """What has been accepted for this client and others together, and is not in its outbox yet."""

    def bring_up(self, outbox: "Outbox") -> None:
        """Put it there, now: something else comes after it."""
        ...

    def remove(self, outbox: "Outbox") -> None:
        """It has no part in this any more."""
        ...


class Outbox(WaitingMessages):
    """What waits for one client, in order.

    Args:
        connection: Where it goes; its ``drained`` becomes the outbox's.
        max_bytes, max_messages: The bounds. A larger message is accepted when nothing else waits.
        send_timeout: s without progress until the client is given up; ``inf``: never.
        on_slow: Called once, with the reason, when the client is to be cut.
        schedule: When it is written: the host's.

    Attributes:
        sent_at: The loop's time when something was last given to the socket.
        shared: The batches that it has a part in.
        is_blocked: Whether the socket holds something back: nothing is written until it has drained.
        is_closed: Whether nothing is accepted any more.
    """

    __slots__ = (
        "_blocking",
        "_connection",
        "_is_scheduled",
        "_loop",
        "_messages_most",
        "_meter",
        "_on_slow",
        "_progress_at",
        "_send_timeout",
        "_size_most",
        "_unsent",
        "_waiters",
        "_watch",
        "is_blocked",
        "is_closed",
        "schedule",
        "sent_at",
        "shared",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        max_bytes: int,
        max_messages: int,
        send_timeout: float,
        on_slow: Callable[[SlowClientError], None],
        meter: Meter | None = None,
        schedule: FlushSchedule | None = None,
    ) -> None:
        super().__init__(max_bytes, max_messages)
        self._connection = connection
        connection.drained = self._on_drained
        connection.filled = self._on_filled
        self._loop = asyncio.get_running_loop()
        self._send_timeout = send_timeout
        self._on_slow = on_slow
        self._meter = meter or Meter()
        self.schedule = schedule or FlushSchedule()
        self._is_scheduled = False
        self.is_blocked = False
        self.is_closed = False
        self._watch: asyncio.TimerHandle | None = None
        self._progress_at = 0.0
        self._unsent = 0
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] | None = None
        self._blocking: asyncio.Lock | None = None
        self._size_most = 0
        self._messages_most = 0
        self.sent_at = 0.0
        self.shared: tuple[Shared, ...] = ()

    @property
    def size_most(self) -> int:
        """The most bytes that ever waited."""
        return max(self._size_most, self.size)

    @property
    def messages_most(self) -> int:
        """The most messages that ever waited."""
        return max(self._messages_most, len(self))

    @property
    def is_awaited(self) -> bool:
        """Whether a caller waits for room."""
        return self._blocking is not None and self._blocking.locked()

    @property
    def is_clear(self) -> bool:
        """Whether what is written now reaches the socket next, and the socket takes it."""
        return not (self._items or self.is_blocked or self.is_closed)

    def append(self, frame: bytes, operation: str = "") -> bool:
        """Accept a frame for this client, after those before it; or, over a bound, give the client up.

        Returns:
            Whether it was accepted.
        """
        if self.is_closed:
            return False
        if self.shared:
            self._bring_up()
        items, size = self._items, len(frame)
        if items and (self.size + size > self.max_bytes or len(items) - self._dropped >= self.max_messages):
            self._find_room(size)
            if not self.has_room(size):
                self._give_up(self._overflow(), operation)
                return False
        self._items.append(frame)  # as put() does, without the call: every message to every client comes by
        self.size += size
        if not (self._is_scheduled or self.is_blocked):
            self._is_scheduled = True
            self.schedule.add(self)
        return True

    def deliver(self, frame: bytes, outlet: Outlet, key: Hashable = None) -> bool:
        """Accept a frame, or do what its operation says. Whether it was accepted."""
        if outlet.is_plain:
            return self.append(frame, outlet.operation)
        if self.is_closed:
            return False
        self._bring_up()
        if not self.has_room(len(frame)):
            self.flush()  # a burst within one turn is our doing, not the client's
        offer, older = self.offer(frame, outlet, key)
        self._meter.count_drop(outlet.operation, "oldest", older)
        if offer is Offer.REFUSED:
            self._find_room(len(frame))
            offer, _ = self.offer(frame, outlet, key)
        if offer is Offer.REFUSED:
            self._give_up(self._overflow(outlet), outlet.operation)
        elif offer is Offer.DROPPED:
            self._meter.count_drop(outlet.operation, "newest")
        elif offer is Offer.REPLACED:
            self._meter.count_drop(outlet.operation, "replaced")
        elif not (self._is_scheduled or self.is_blocked):
            self._is_scheduled = True
            self.schedule.add(self)
        return offer in (Offer.ACCEPTED, Offer.REPLACED)

    async def deliver_in_time(self, frame: bytes, outlet: Outlet) -> bool:
        """Wait for room, after those who wait already, as long as ``block`` says; then give the client up."""
        operation, timeout = outlet.operation, outlet.delivery.timeout
        self._blocking = self._blocking or asyncio.Lock()
        try:
            async with asyncio.timeout(finite(timeout)), self._blocking:
                self._bring_up()
                if not self.fits(len(frame), outlet):
                    self._find_room(len(frame))
                    await self._until(lambda: self.fits(len(frame), outlet))
                return self.deliver(frame, outlet)
        except TimeoutError:
            self._give_up(f"slow client: no room for a message within {timeout:g} s (block)", operation)
            return False

    def write_shared(self, data: bytes, count: int, now: float) -> bool:
        """Write what others are given, too; only while it ``is_clear``. False: the socket is full now."""
        self._meter.messages_sent += count
        self._meter.bytes_sent += len(data)
        self.sent_at = now
        self.is_blocked = not self._connection.write(data)
        if self.is_blocked:
            self._guard()
        return not self.is_blocked

    def flush(self, now: float | None = None) -> None:
        """Give the socket what it takes now. ``now`` is the loop's time, where it is known."""
        self._is_scheduled = False
        if self._items:
            self._note_most()
            while self._items and not self.is_blocked and not self.is_closed:
                data, count = self.take(MAX_WRITE_BYTES)
                self._meter.messages_sent += count
                self._meter.bytes_sent += len(data)
                self.sent_at = self._loop.time() if now is None else now
                self.is_blocked = not self._connection.write(data)
        if self.is_blocked:
            self._guard()
        if self._waiters:
            self._report()

    @property
    def is_filling(self) -> bool:
        """Whether half of a bound is met: who fills it had better wait."""
        count = len(self._items) - self._dropped
        return self.size * 2 > self.max_bytes or count * 2 > self.max_messages

    async def relieve(self) -> None:
        """Wait until it is filling no more, or closed: ``send_timeout`` ends a client that takes nothing."""
        self.flush()
        await self._until(lambda: not self.is_filling)

    async def drain(self) -> None:
        """Wait until the socket has taken everything, or the outbox is closed."""
        self._bring_up()
        self.flush()
        await self._until(lambda: not (self._items or self.is_blocked))

    def close(self) -> None:
        """Drop what waits; nothing is accepted any more."""
        self._note_most()
        self.is_closed = True
        self.clear()
        for shared in self.shared:
            shared.remove(self)
        if self._watch is not None:
            self._watch.cancel()
        self._report()

    @property
    def _watch_interval(self) -> float:
        return min(WATCH_INTERVAL, self._send_timeout / 4)

    def _bring_up(self) -> None:
        """What has been accepted for this client and others together comes first."""
        for shared in self.shared:
            shared.bring_up(self)

    def _find_room(self, size: int) -> None:
        self.flush()  # a burst within one turn is our doing, not the client's
        self._note_most()
        for outlet in self.make_room(size):
            self._meter.count_drop(outlet.operation, "oldest")

    def _note_most(self) -> None:
        size, count = self.size, len(self._items) - self._dropped
        if size > self._size_most:  # noqa: PLR1730 - every write comes by, and max() is a call
            self._size_most = size
        if count > self._messages_most:  # noqa: PLR1730 - the same
            self._messages_most = count

    def _overflow(self, outlet: Outlet | None = None) -> str:
        """Which bound a message has no room in."""
        if len(self) >= self.max_messages:
            return f"slow client: more than {self.max_messages} messages wait for it (outbox maxMessages)"
        if outlet is not None and (outlet.max_bytes or outlet.max_messages):
            own = {"maxBytes": outlet.max_bytes, "maxMessages": outlet.max_messages}
            bounds = ", ".join(f"{bound} {value}" for bound, value in own.items() if value)
            return f"slow client: too much of {outlet.operation} waits for it (outbox operations: {bounds})"
        return f"slow client: more than {self.max_bytes} bytes wait for it (outbox maxBytes)"

    def _on_filled(self) -> None:
        """The socket is full, by whatever was written: a pong, too."""
        self.is_blocked = True
        self._guard()

    def _on_drained(self) -> None:
        self.is_blocked = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._bring_up()  # perhaps the last chance: a peer that closes still gets what was accepted for it
        self.flush()

    def _guard(self) -> None:
        if self._watch is None and not self.is_closed and self._send_timeout < float("inf"):
            self._unsent = self._connection.unsent
            self._progress_at = self._loop.time()
            self._watch = self._loop.call_later(
                self._watch_interval, self._look, context=self.schedule.context
            )

    def _look(self) -> None:
        """Has the client taken anything since the last look?"""
        now, unsent = self._loop.time(), self._connection.unsent
        if unsent < self._unsent:  # it may grow, too, by what is not the outbox's: TLS answers for itself
            self._progress_at = now
        self._unsent = unsent
        if now - self._progress_at >= self._send_timeout:
            reason = f"slow client: took nothing for {self._send_timeout:g} s (sendTimeout)"
            self._give_up(reason, is_timeout=True)
        else:
            self._watch = self._loop.call_later(
                self._watch_interval, self._look, context=self.schedule.context
            )

    def _give_up(self, reason: str, operation: str = "", *, is_timeout: bool = False) -> None:
        if not self.is_closed:
            self.close()
            self._on_slow(SlowClientError(reason, operation, is_timeout=is_timeout))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not (self.is_closed or is_so()):
            self._waiters = self._waiters or []
            waiter = (is_so, self._loop.create_future())
            self._waiters.append(waiter)
            await waiter[1]

    def _report(self) -> None:
        """Wake those who wait for what is so now."""
        waiters, self._waiters = self._waiters or [], None
        for waiter in waiters:
            is_so, woken = waiter
            if woken.done():
                continue  # cancelled
            if self.is_closed or is_so():
                woken.set_result(None)
            else:
                self._waiters = self._waiters or []
                self._waiters.append(waiter)
