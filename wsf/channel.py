"""DuplexSessionChannel: one session, in messages. It alone owns the state (``channel_life.py``).

The law: ``send`` is an append to the outbox and never waits. Handlers of a channel's events run in a later
turn of the event loop, never inside the call that caused them: a loop over a room may send to a client that
is over its bound without the room changing under it.
"""

import itertools
import uuid
from collections.abc import Callable, Hashable
from typing import Any, Final

from wsf.behaviors import CallbackSettings, OutboxSettings, StreamSettings
from wsf.bindings import Binding
from wsf.cancellation import CANCELLED, ServedCall
from wsf.channel_life import ChannelLife
from wsf.communication_object import OPENED
from wsf.concurrency import current_turn
from wsf.correlation import PendingCall, PendingCalls
from wsf.counters import Meter
from wsf.delivery import Outlet
from wsf.errors import (
    CommunicationError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    ReplyTimeoutError,
)
from wsf.flushing import FlushSchedule
from wsf.idle import IdleWatch
from wsf.inbox import Arrival, Inbox
from wsf.message import CANCEL_ACTION, ON_OPEN_ACTION, Message, MessageType
from wsf.open_streams import OpenStreams
from wsf.outbox import Outbox
from wsf.timers import call_later
from wsf.transports import Connection

__all__ = ("DuplexSessionChannel", "Inspect")

#: what an inspector makes of a message on its way out: the same one, or another
Inspect = Callable[[Message, Any], Message]

#: the first part of session ids: one for each process, as WCF has one for each application domain
_PROCESS_ID: Final = uuid.uuid4()
_numbers = itertools.count(1)


class DuplexSessionChannel(ChannelLife):
    """One client's session. WCF: IDuplexSessionChannel, IContextChannel, ICommunicationObject.

    Any task may send, request, close or abort; the ``inbox`` is the dispatcher's alone.

    Args:
        connection: Open already: the transport accepted it.
        wire: Stands for encoding and framing: what a message's bytes depend on.
        outbox, callbacks: The bounds of what waits on the way out, and for answers.
        schedule: When what waits is written: the host's.
        streams: The bounds of its streams.
        strict_callbacks: WCF's rule: an operation that the session waits for may not wait for its answer.
        screen: Asked for each message that is read past: what of it shall wait; None: it has been answered.
        afterwards: Calls what it is given when what is being done for this session ends, or waits.
        ready: Called when the inbox has said that there is nothing to take, and now there is.

    Attributes:
        state: Read it before a send that may not fail.
        callback: The typed proxy of the client, once somebody asked for it.
        streams: Those that its operations have open.
        served: The client's calls that are being served, by their ids; notifications have none.
        running_operations: How many the client's messages have started that have not ended: no idle session.
        sending: What sees each message on its way out, in this order.
        wire: What a message's bytes depend on.
        outbox_settings: The bounds of what waits for the client.
    """

    __slots__ = (
        "__weakref__",
        "_idle",
        "_operation_timeout",
        "_strict_callbacks",
        "callback",
        "encoding",
        "inbox",
        "outbox",
        "outbox_settings",
        "pending",
        "running_operations",
        "sending",
        "served",
        "streams",
        "wire",
    )

    def __init__(
        self,
        connection: Connection,
        binding: Binding,
        wire: Hashable,
        meter: Meter,
        *,
        outbox: OutboxSettings | None = None,
        callbacks: CallbackSettings | None = None,
        schedule: FlushSchedule | None = None,
        streams: StreamSettings | None = None,
        strict_callbacks: bool = False,
        screen: Callable[[Arrival], Arrival | None] = lambda arrival: arrival,
        ready: Callable[[], None] = lambda: None,
        afterwards: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        super().__init__(connection, binding, meter, f"uuid:{_PROCESS_ID};id={next(_numbers)}")
        outbox, callbacks = outbox or OutboxSettings(), callbacks or CallbackSettings()
        self.callback: Any = None
        self.running_operations = 0
        self.sending: tuple[Inspect, ...] = ()
        self.outbox_settings = outbox
        self.outbox = Outbox(
            connection,
            max_bytes=outbox.max_bytes,
            max_messages=outbox.max_messages,
            send_timeout=binding.send_timeout,
            on_slow=self._on_slow,
            meter=meter,
            schedule=schedule,
        )
        self.pending = PendingCalls(callbacks.max_pending_calls, self._on_cancelled)
        self.served: dict[str | bytes, ServedCall] = {}
        self.inbox = Inbox(
            connection,
            self._decode,
            self.pending,
            max_messages=callbacks.max_read_ahead_messages,
            max_bytes=callbacks.max_read_ahead_bytes,
            hears_cancellation=binding.encoding.carries_cancellation,
            screen=screen,
            ready=ready,
            afterwards=afterwards or self._loop.call_soon,
            on_end=self._on_end,
        )
        self.streams = OpenStreams(streams or StreamSettings(), meter)
        self.encoding = binding.encoding
        self._operation_timeout = binding.send_timeout
        self._strict_callbacks = strict_callbacks
        self.wire = wire if connection.framing is None else (wire, connection.framing)
        if binding.transport.notifies_on_connection:
            self.inbox.announce(Message(None, action=ON_OPEN_ACTION, properties=connection.properties))
        self._idle = IdleWatch(binding.receive_timeout, self)

    @property
    def is_busy(self) -> bool:
        """Whether something is done for the client, which need not say anything meanwhile. For its watch."""
        return self.running_operations > 0 or self.streams.are_asked

    @property
    def sent_at(self) -> float:
        """When the last message went to the client, by the loop's clock."""
        return self.outbox.sent_at

    @property
    def operation_timeout(self) -> float:
        """s that a call to this client may wait for its answer; sendTimeout unless set. ``inf``: for ever.

        For one call, ``asyncio.timeout`` around it does the same. WCF: ``IContextChannel.OperationTimeout``.
        """
        return self._operation_timeout

    @operation_timeout.setter
    def operation_timeout(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"operation_timeout: {seconds!r} is no time to wait: give seconds, more than 0")
        self._operation_timeout = seconds

    def send(
        self, message: Message, ping: bytes = b"", outlet: Outlet | None = None, key: Hashable = None
    ) -> bool:
        """Accept one message for this client, after those sent before it. Never waits.

        A client over a bound of its outbox is cut, without an error here: the channel is FAULTED from then
        on, and no other client has to pay for it.

        Args:
            ping: A frame that goes right before it.
            outlet, key: What else may become of it, and what a newer one replaces it by.

        Returns:
            Whether it was accepted.

        Raises:
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                The channel is not OPENED any more.
            InvalidOperationError: It is not OPENED yet.
            TypeError, ValueError: The message cannot be sent as what it says it is.

        """
        if self.state is not OPENED:
            self.demand_opened()
        frame = ping + self.frame(message) if ping else self.frame(message)
        if not frame:
            return True  # it goes with others, when they are there
        if outlet is None:
            return self.outbox.append(frame)
        if outlet.is_plain:
            return self.outbox.append(frame, outlet.operation)
        return self.outbox.deliver(frame, outlet, key)

    async def send_in_time(self, message: Message, outlet: Outlet) -> bool:
        """Accept one message as soon as there is room; the outlet's delivery says how long that may take.

        Raises:
            As ``send``; and that the channel was cut or has ended meanwhile.

        WCF: ``IOutputChannel.Send``, which waits until the bytes are written.
        """
        self.demand_opened()
        frame, turn = self.frame(message), current_turn()
        if self.outbox.fits(len(frame), outlet) and not self.outbox.is_awaited:
            return self.outbox.deliver(frame, outlet)
        if turn is not None:
            turn.step_out()
        try:
            is_accepted = await self.outbox.deliver_in_time(frame, outlet)
        finally:
            if turn is not None:
                await turn.step_in()
        if not is_accepted:
            self.demand_opened()
        return is_accepted

    def frame(self, message: Message) -> bytes:
        """What carries a message on this wire: made once for all clients that have the same.

        Raises:
            TypeError, ValueError: The message cannot be sent as what it says it is.
        """
        if not isinstance(message, Message):
            raise TypeError(f"a wsf.Message is sent, not {type(message).__name__}")
        for inspect in self.sending:
            message = inspect(message, self)
        return message.encoded_once(self.wire, self.encode)

    async def request(
        self,
        message: Message,
        operation: str = "",
        *,
        within: float | None = None,
        late: Callable[[Message], None] | None = None,
    ) -> Message:
        """Send a call to this client and wait for its answer, which may be a fault.

        Args:
            operation: Its name, for messages to the service's author.
            within: s until the answer has to be there; ``operation_timeout`` unless given.
            late: Gets an answer that comes when the caller has given up.

        Raises:
            ReplyTimeoutError: There was no answer within ``operation_timeout``; the session goes on, and the
                client is told that nobody waits any more, as it is when the caller is cancelled.
            InvalidOperationError: The answer could not have been read, or too many calls wait already;
                nothing was sent. With ``strict_callbacks`` also where WCF's rule forbids the call.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                The channel is not OPENED, or the session ended before the answer came.
            TypeError, ValueError: As for ``send``.

        WCF: ``IRequestChannel.Request``, DuplexChannelBinder.
        """
        self.demand_opened()
        turn = current_turn()
        if turn is not None and turn.is_over:
            turn = None  # a task that outlives its operation holds nothing up
        self.inbox.check_call(operation, turn, is_strict=self._strict_callbacks)
        # who serves nobody holds nothing up: only an operation's call needs to know who knew of it
        number, ping = (0, b"") if turn is None else self._connection.ping()
        call = self.pending.add(operation, turn, number)
        try:
            self.send(message.with_ids(message_id=call.message_id), ping)
            self.inbox.read_on()
            return await self._reply(call, within)
        except BaseException:
            if late is not None:
                self.pending.take_late(call, late)
            raise
        finally:
            self.pending.remove(call)

    async def _reply(self, call: PendingCall, within: float | None) -> Message:
        timeout, turn = self.operation_timeout if within is None else within, call.turn
        if turn is not None:
            turn.step_out()
        expiry = None
        if timeout < float("inf"):
            expiry = call_later(self._loop, timeout, _expire, call)
        try:
            return await call.reply
        except TimeoutError as expired:
            expired.__traceback__ = None  # it would hold this frame, and with it itself
            self._meter.reply_timeouts += 1
            raise ReplyTimeoutError(
                f"{call.operation or 'a call'}: the {self.peer_kind} did not answer within {timeout:g} s "
                f"(sendTimeout, or the channel's operation_timeout)"
            ) from None
        finally:
            if expiry is not None:
                expiry.cancel()
            if call.message_id in self.pending.calls:
                self._call_off(call)
            if turn is not None:
                await turn.step_in()

    def _call_off(self, call: PendingCall) -> None:
        """Nobody waits for an answer any more: tell the client, which may save itself the work."""
        self.pending.remove(call)
        if self.state is OPENED and self.encoding.carries_cancellation:
            message = Message(None, MessageType.TEXT, CANCEL_ACTION, relates_to=call.message_id)
            self.outbox.append(self.encode(message), call.operation)

    def _on_cancelled(self, message_id: str | bytes) -> None:
        """The client cancels a call of its own. One that is none of those under way has been answered."""
        if self.streams.withdraw(message_id, CANCELLED):
            self._meter.calls_cancelled += 1
        elif (call := self.served.get(message_id)) is not None:
            call.cancel()
        else:
            self.inbox.withdraw(message_id)

    def encode(self, message: Message) -> bytes:
        """What carries a message, made anew; no inspector sees it. ``frame`` is for what others get, too.

        Raises:
            ValueError: The message cannot be sent as what it says it is.
        """
        payload = self.encoding.encode(message)
        if payload is None:
            return b""
        return self._connection.frame(payload, self.encoding.frame_type or message.message_type)

    def _decode(self, payload: bytes, message_type: MessageType) -> Message | tuple[Message, ...]:
        self._idle.active_at = self._loop.time()
        self._meter.messages_received += 1
        self._meter.bytes_received += len(payload)
        return self.encoding.decode(payload, message_type, self._connection.properties)

    def _on_end(self, end: CommunicationError) -> None:
        """The connection has ended while a call waits for its answer: the call ends now."""
        if isinstance(end, ConnectionClosedError):
            self.ended(end)
        else:
            self.pending.fail_all(
                lambda: CommunicationObjectFaultedError(f"the {self.peer_kind} broke a rule: {end}")
            )


def _expire(call: PendingCall) -> None:
    if not call.reply.done():
        call.reply.set_exception(TimeoutError())
