"""One connection's way in. The law: a reply never waits behind a call.

The dispatcher takes one message after the other, and takes none while it is busy: that is the back pressure
of a session. Only while somebody waits for this client's answer, or while the client may cancel what its
session waits for, is more read, to find that behind what the client said before it; what is read past waits
here, bounded, in order.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from wsf.cancellation import CANCELLED
from wsf.concurrency import Turn
from wsf.correlation import PendingCall, PendingCalls
from wsf.errors import CommunicationError, InvalidOperationError
from wsf.message import Message, MessageType
from wsf.pump import MESSAGES_PER_TURN, TURN
from wsf.transports import Connection

__all__ = ("Arrival", "Inbox")

_WAYS_OUT: Final = (
    "let the session be read on (ConcurrencyMode.REENTRANT or MULTIPLE), call from a task that outlives the "
    "operation, or raise the bound"
)


class Arrival(Struct, frozen=True):  # one for each message: see Message
    """A message, and the calls that its sender had been given when it sent it, and has not answered.

    It may be one that the client makes in order to answer: then it must not wait for them. One that
    ``is_answered`` has been promised to be served.
    """

    message: Message
    awaited: tuple[PendingCall, ...] = ()
    is_answered: bool = False


class Inbox:
    """What comes from one client, in order, without the replies.

    Args:
        connection: Where it comes from.
        decode: A payload's message or messages; counts them.
        pending: The calls that wait for replies.
        max_messages, max_bytes: Read past at most; reading stops when one of them is reached.
        hears_cancellation: Whether the client can cancel a call.
        screen: Asked for each message read past: what of it shall wait; None: it has been answered.
        ready: Called when ``take`` has said that there is nothing, and now there is, or the end.
        afterwards: Calls what it is given when the step of the session that is being made ends, or waits.
        on_end: Called as soon as the connection has ended, before what waits here has been served.

    Attributes:
        occupied_by: The operation that the session's next message waits for.
        size: Bytes that wait.
        messages_most, size_most: The most that ever waited.
    """

    __slots__ = (
        "_afterwards",
        "_connection",
        "_decode",
        "_end",
        "_hears_cancellation",
        "_is_due",
        "_is_flooded",
        "_is_wanted",
        "_next",
        "_on_end",
        "_pending",
        "_ready",
        "_screen",
        "_waiting",
        "max_bytes",
        "max_messages",
        "messages_most",
        "occupied_by",
        "size",
        "size_most",
    )

    def __init__(
        self,
        connection: Connection,
        decode: Callable[[bytes, MessageType], Message | tuple[Message, ...]],
        pending: PendingCalls,
        *,
        max_messages: int,
        max_bytes: int,
        hears_cancellation: bool = False,
        screen: Callable[[Arrival], Arrival | None],
        ready: Callable[[], None],
        afterwards: Callable[[Callable[[], None]], object],
        on_end: Callable[[CommunicationError], None],
    ) -> None:
        self._connection = connection
        self._decode = decode
        self._pending = pending
        self._hears_cancellation = hears_cancellation
        self._screen = screen
        self._ready = ready
        self._afterwards = afterwards
        self._on_end = on_end
        self._next: Arrival | None = None
        self._waiting: list[tuple[Arrival, int]] = []  # few, and mostly none: no deque
        self._end: Exception | None = None
        self._is_wanted = False
        self._is_flooded = False
        self._is_due = False
        self.occupied_by: Turn | None = None
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.size = 0
        self.messages_most = 0
        self.size_most = 0
        connection.arrived = self._look

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is read past."""
        return len(self._waiting) >= self.max_messages or self.size >= self.max_bytes

    def announce(self, message: Message) -> None:
        """Give this out first: the connect notification, before anything has been taken."""
        self._next = Arrival(message)

    def take(self) -> Arrival | None:
        """The next message that is no reply; None: ``ready`` will be called. For the dispatcher alone.

        Raises:
            ConnectionClosedError: The connection has ended, and everything before that has been given out.
            ProtocolError: The peer broke a rule.
        """
        if (arrival := self._next) is not None:
            self._next = None
            return arrival
        if self._waiting:
            return self._first()
        if self._end is not None:
            raise self._end
        self._is_wanted = False
        for _ in TURN:
            arrived = self._connection.take()
            if arrived is None:
                break
            message = self._decode(*arrived)
            if isinstance(message, tuple):
                self._keep(message, len(arrived[0]), lambda arrival: arrival)
                if self._waiting:
                    return self._first()
            elif message.relates_to is None:
                return Arrival(message, self._awaited()) if self._pending.calls else Arrival(message)
            else:
                self._pending.resolve(message)
        else:
            self._give_way()
        self._is_wanted = True
        return None

    def _give_way(self) -> None:
        """A flood, of answers perhaps, has its turn, not the loop: go on in the next one."""
        self._is_flooded = True
        asyncio.get_running_loop().call_soon(self._look_again)

    def _first(self) -> Arrival:
        arrival, size = self._waiting.pop(0)
        self.size -= size
        return arrival

    def _look(self) -> None:
        """Something has arrived: hand it to who wants it; with nobody there, it stays where it is."""
        if self._is_flooded:
            return
        if self._is_wanted:
            try:
                self._next = self.take()
                if self._next is None:
                    return
            except Exception as end:  # an encoding's own error ends the session, and nothing else
                self._end = end
            self._ready()
        elif self._is_awaited():
            self.read_on()

    def _look_again(self) -> None:
        self._is_flooded = False
        self._look()

    def drop(self) -> None:
        """What waits is not served any more."""
        self._next = None
        self._waiting.clear()
        self.size = 0

    def occupy(self, turn: Turn) -> None:
        """The session's next message waits until this operation has ended. WCF: the receive pump."""
        self.occupied_by = turn
        if self._pending.calls:
            self.read_on()
        elif self._hears_cancellation and not self._is_due:  # soon: most operations have ended by then
            self._is_due = True
            self._afterwards(self._read_on_now)

    def withdraw(self, message_id: str | bytes) -> None:
        """The client cancels a call: if it waits here, it is answered and never served."""
        arrival = self._next
        if arrival is not None and arrival.message.message_id == message_id:
            self._next = None
        else:
            at = next(
                (at for at, (one, _) in enumerate(self._waiting) if one.message.message_id == message_id),
                None,
            )
            if at is None:
                return
            arrival, size = self._waiting.pop(at)
            self.size -= size
        self._screen(replace(arrival, message=arrival.message.replace(fault=CANCELLED)))

    def _read_on_now(self) -> None:
        self._is_due = False
        if self.occupied_by is not None or self._pending.calls:  # mostly not: the operation has ended by now
            self.read_on()

    def read_on(self) -> None:
        """Somebody waits for what is to come, and nobody reads: read past what comes before it."""
        if self._is_flooded or self._is_wanted or not self._is_awaited():
            return
        if self._end is not None:  # the session has not come as far as to know
            self._tell_end()
            return
        try:
            messages = MESSAGES_PER_TURN
            while self._is_awaited() and not self.is_full:
                if not messages:
                    self._give_way()
                    return
                messages -= 1
                arrived = self._connection.take()
                if arrived is None:
                    return
                message = self._decode(*arrived)
                self._keep(
                    message if isinstance(message, tuple) else (message,), len(arrived[0]), self._screen
                )
        except Exception as end:  # the same
            self._end = end
            self._tell_end()
        if self._pending.calls and self.is_full:
            self._refuse_hopeless()

    def check_call(self, operation: str, turn: Turn | None, *, is_strict: bool) -> None:
        """Refuse a call to this client whose answer could not be read before the call has ended.

        Args:
            is_strict: WCF's rule: no operation that the session waits for may wait for its client.

        Raises:
            InvalidOperationError: Names both operations and the ways out.

        WCF: SFxCallbackRequestReplyInOrder1.
        """
        if turn is None:
            return
        if is_strict and self.occupied_by is turn:
            raise InvalidOperationError(
                f"{operation} is called in {turn.operation}, which its own session waits for, and "
                f"strict_callbacks is set: use ConcurrencyMode.REENTRANT or MULTIPLE, or make it one-way"
            )
        if self.is_full and self.waits_for(turn):
            raise self._hopeless(operation, turn)

    def _awaited(self) -> tuple[PendingCall, ...]:
        ponged = self._connection.ponged
        return tuple(call for call in self._pending if call.is_waited_for and call.ping <= ponged)

    def _tell_end(self) -> None:
        if isinstance(self._end, CommunicationError):
            self._on_end(self._end)

    def _is_awaited(self) -> bool:
        """Whether somebody waits for what may stand behind the session's next message."""
        return bool(self._pending.calls) or (self._hears_cancellation and self.occupied_by is not None)

    def _keep(
        self, messages: tuple[Message, ...], size: int, screen: Callable[[Arrival], Arrival | None]
    ) -> None:
        """Let what one payload brought wait, each message with its share of the size. It is taken whole."""
        for message in messages:
            if message.relates_to is not None:
                self._pending.resolve(message)
            elif (arrival := screen(Arrival(message, self._awaited()))) is not None:
                self._waiting.append((arrival, size // len(messages)))
                self.size += size // len(messages)
        self.size_most = max(self.size_most, self.size)
        self.messages_most = max(self.messages_most, len(self._waiting))

    def _refuse_hopeless(self) -> None:
        for call in tuple(self._pending):
            if call.turn is not None and self.waits_for(call.turn):
                self._pending.fail(call, self._hopeless(call.operation, call.turn))

    def waits_for(self, turn: Turn) -> bool:
        """Whether the session's next message is looked at only when that operation has ended.

        It is, if it occupies the session; or holds the lock that who occupies it waits for; or if operations
        that wait for this client hold every place of the throttle.
        """
        at = self.occupied_by
        while at is not None and at is not turn and at.waits_for is not None:
            at = at.waits_for.holder
        if at is None or turn.is_over:
            return False
        return at is turn or (at.queues_for is not None and len(self._callers()) >= at.queues_for)

    def _callers(self) -> set[Turn]:
        """The operations that wait for this client."""
        return {call.turn for call in self._pending if call.turn is not None and call.is_waited_for}

    def _hopeless(self, operation: str, turn: Turn) -> InvalidOperationError:
        return InvalidOperationError(
            f"{operation}, called in {turn.operation}, cannot be answered: {len(self)} messages "
            f"({self.size} bytes) of the client wait until {turn.operation} has ended, and no more are read "
            f"(callbacks maxReadAheadMessages, maxReadAheadBytes): {_WAYS_OUT}"
        )
