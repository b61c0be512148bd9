"""The two gates of WCF's concurrency modes: a session's receive pump, and the lock of a service object.

Both are held until an operation's coroutine ends; an ``await`` does not open them. REENTRANT opens the lock
around calls that wait for a client's answer, and who comes back goes before who comes new.
WCF: ConcurrencyBehavior, ImmutableDispatchRuntime.
"""

import asyncio
from contextvars import ContextVar
from typing import Final, Protocol

from msgspec import Struct

from wsf.behaviors import ConcurrencyMode
from wsf.cancellation import ServedCall
from wsf.throttling import UNLIMITED, Gate

__all__ = ("CURRENT_CALL", "Call", "InstanceLock", "Turn", "current_turn", "pump_waits")


def pump_waits(mode: ConcurrencyMode) -> bool:
    """Whether a session's next message waits until the operation before it has ended."""
    return mode is ConcurrencyMode.SINGLE


class InstanceLock(Gate):
    """The lock of one service object: one operation at a time, FIFO; none for MULTIPLE.

    Attributes:
        holder: The turn that is inside; always None for MULTIPLE.
    """

    __slots__ = ("holder", "is_reentrant")

    def __init__(self, mode: ConcurrencyMode) -> None:
        super().__init__(UNLIMITED if mode is ConcurrencyMode.MULTIPLE else 1)
        self.is_reentrant = mode is ConcurrencyMode.REENTRANT
        self.holder: Turn | None = None


class Turn(Struct, eq=False):  # one for each message: see Message
    """One operation's turn at its service object, from the gate to the end of its coroutine.

    Tasks that the operation starts have its turn, too, and may outlive it: a turn that is over holds
    nothing, and is never taken up again.

    Attributes:
        operation: Its name, for messages to its author.
        is_over: Whether the operation has ended.
        waits_for: The lock that it waits for, while it does.
        queues_for: While it waits for a place to run, how many of them there are.
        channel: The session that it serves.
        call: What can be cancelled of it; None for a message that nobody waits for an answer to.
        outgoing: Properties for what it sends there. WCF: OutgoingMessageProperties.
    """

    operation: str
    channel: object = None
    call: ServedCall | None = None
    outgoing: dict[str, object] | None = None
    is_over: bool = False
    waits_for: InstanceLock | None = None
    queues_for: int | None = None
    _lock: InstanceLock | None = None
    _back: asyncio.Lock | None = None

    def __repr__(self) -> str:
        return f"<Turn of {self.operation}>"

    def try_begin(self, lock: InstanceLock) -> bool:
        """Enter the service object if nobody is in the way: the way in that costs nothing."""
        if not lock.try_enter():
            return False
        self._lock = lock
        if lock.limit == 1:  # as _take() does, without the call: every message comes by
            lock.holder = self
        return True

    async def begin(self, lock: InstanceLock) -> None:
        """Wait for the service object. Whoever begins must ``end``, whatever happens in between."""
        await self._wait(lock, again=False)
        self._lock = lock
        self._take(lock)

    def end(self) -> None:
        """The operation has ended: let the next one in. There is nothing to cancel any more."""
        self.is_over = True
        if self.call is not None:
            self.call.end()
        lock, self._lock = self._lock, None
        if lock is not None and (lock.holder is self or lock.limit == UNLIMITED):
            lock.holder = None
            lock.leave()

    def holds(self, lock: InstanceLock | None) -> bool:
        """Whether this operation is what others wait for at a lock."""
        return lock is not None and lock.holder is self

    def step_out(self) -> None:
        """A call begins that waits for an answer. REENTRANT: others may enter the service object meanwhile.

        WCF: UnlockInstanceBeforeCallout.
        """
        lock = self._lock
        if lock is not None and lock.is_reentrant and lock.holder is self:
            self._leave(lock)

    async def step_in(self) -> None:
        """The call has returned: back inside, before who comes new. The first of several takes the lock.

        Who is cancelled meanwhile is so afterwards: an operation that goes on, after a timeout of its own,
        never does so beside another. WCF: LockInstanceAfterCallout.
        """
        lock = self._lock
        if lock is None or not lock.is_reentrant:
            return
        self._back = self._back or asyncio.Lock()
        cancelled: asyncio.CancelledError | None = None
        while True:
            try:
                await self._come_back(lock, self._back)
                break
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _come_back(self, lock: InstanceLock, back: asyncio.Lock) -> None:
        async with back:
            if self.is_over or lock.holder is self:
                return
            await self._wait(lock, again=True)
            if self.is_over:  # meanwhile the operation has ended without us
                lock.leave()
            else:
                self._take(lock)

    async def _wait(self, lock: InstanceLock, *, again: bool) -> None:
        if lock.try_enter():
            return
        self.waits_for = lock
        try:
            await lock.enter(again=again)
        finally:
            self.waits_for = None

    def _take(self, lock: InstanceLock) -> None:
        if lock.limit == 1:
            lock.holder = self

    def _leave(self, lock: InstanceLock) -> None:
        lock.holder = None
        lock.leave()


class Call(Protocol):
    """What serves a message: an OperationContext, as the rooms below it see it."""

    turn: Turn


#: the call that this task serves, or was started by
CURRENT_CALL: Final[ContextVar[Call]] = ContextVar("wsf.concurrency.call")


def current_turn() -> Turn | None:
    """The turn of the operation that this task serves, or was started by; None for a task that has none."""
    call = CURRENT_CALL.get(None)
    return None if call is None else call.turn
