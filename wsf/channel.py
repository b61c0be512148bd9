"""DuplexSessionChannel: one session, in messages. It alone owns the state.

The law: ``send`` is an append to the outbox and never waits. Handlers of a channel's events run in a later
turn of the event loop, never inside the call that caused them: a loop over a room may send to a client that
is over its bound without the room changing under it.
"""

import asyncio
import itertools
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

import attrs

from wsf.behaviors import CallbackSettings, OutboxSettings
from wsf.bindings import Binding
from wsf.communication_object import CloseStatus, CommunicationState, Event
from wsf.concurrency import CURRENT_TURN, Turn
from wsf.correlation import PendingCalls
from wsf.counters import Meter
from wsf.errors import (
    CloseCode,
    CloseTimeoutError,
    CommunicationError,
    CommunicationObjectAbortedError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    InvalidOperationError,
    ReplyTimeoutError,
    SlowClientError,
    WsfError,
)
from wsf.extension_collection import ExtensionCollection
from wsf.inbox import Arrival, Inbox
from wsf.message import ON_OPEN_ACTION, Message, MessageType
from wsf.outbox import Outbox
from wsf.settings import finite
from wsf.transports import Connection

__all__ = ("CloseDetails", "DuplexSessionChannel", "Inspect")

logger = logging.getLogger(__name__)


#: what an inspector makes of a message on its way out: the same one, or another
Inspect = Callable[[Message, Any], Message]

#: the first part of session ids: one for each process, as WCF has one for each application domain
_PROCESS_ID: Final = uuid.uuid4()
_numbers = itertools.count(1)


class CloseDetails:
    """What the two sides say of a session's end. WCF: IWebSocketCloseDetails.

    Attributes:
        input_close_status: What the client's close frame said; None before there was one.
        output_close_status: What ``close()`` says when it is given nothing; 1000 unless set.
    """

    __slots__ = ("input_close_status", "output_close_status")

    def __init__(self) -> None:
        self.input_close_status: CloseStatus | None = None
        self.output_close_status = CloseStatus(CloseCode.NORMAL)

    def set_output_close_status(self, code: int, reason: str = "") -> None:
        """Say how this side will have closed, whoever closes. WCF: ``SetOutputCloseStatus``.

        Raises:
            ValueError: The code is none that an application may send (RFC 6455 section 7.4).
        """
        if not (3000 <= code < 5000 or code in _SENDABLE_CODES):
            raise ValueError(f"{code} is no close code that a service may send: 1000, 3000-3999, 4000-4999")
        self.output_close_status = CloseStatus(code, reason)


#: the registered codes that an application may send (RFC 6455 section 7.4.1)
_SENDABLE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class DuplexSessionChannel:
    """One client's session. WCF: IDuplexSessionChannel, IContextChannel, ICommunicationObject.

    Any task may send, request, close or abort; ``receive`` is the dispatcher's alone.

    Args:
        connection: Open already: the transport accepted it.
        wire: Stands for encoding and framing: what a message's bytes depend on.
        outbox, callbacks: The bounds of what waits on the way out, and for answers.
        strict_callbacks: WCF's rule: an operation that the session waits for may not wait for its answer.
        screen: Asked for each message that is read past: what of it shall wait; None: it has been answered.

    Attributes:
        session_id: ``uuid:...;id=n``, as WCF has it.
        state: Read it before a send that may not fail.
        close_status: How the session ended; None while it lasts.
        callback: The typed proxy of the client, once somebody asked for it.
        running_operations: How many the client's messages have started that have not ended: no idle session.
        close_details: The codes and reasons of both sides.
        sending: What sees each message on its way out, in this order.
    """

    def __init__(
        self,
        connection: Connection,
        binding: Binding,
        wire: Hashable,
        meter: Meter,
        *,
        outbox: OutboxSettings | None = None,
        callbacks: CallbackSettings | None = None,
        strict_callbacks: bool = False,
        screen: Callable[[Arrival], Arrival | None] = lambda arrival: arrival,
    ) -> None:
        outbox, callbacks = outbox or OutboxSettings(), callbacks or CallbackSettings()
        self.session_id = f"uuid:{_PROCESS_ID};id={next(_numbers)}"
        self.state = CommunicationState.CREATED
        self.close_status: CloseStatus | None = None
        self.callback: Any = None
        self.running_operations = 0
        self.close_details = CloseDetails()
        self.sending: tuple[Inspect, ...] = ()
        self.opening = Event()
        self.opened = Event()
        self.closing = Event()
        self.closed = Event()
        self.faulted = Event()
        self.outbox = Outbox(
            connection,
            max_bytes=outbox.max_bytes,
            max_messages=outbox.max_messages,
            send_timeout=binding.send_timeout,
            on_slow=self._on_slow,
        )
        self.pending = PendingCalls(callbacks.max_pending_calls)
        self.inbox = Inbox(
            connection,
            self._decode,
            self.pending,
            max_messages=callbacks.max_read_ahead_messages,
            max_bytes=callbacks.max_read_ahead_bytes,
            screen=screen,
            on_end=self._on_end,
        )
        connection.lost = self._on_lost
        self._connection = connection
        self._binding = binding
        self.encoding = binding.encoding
        self._strict_callbacks = strict_callbacks
        self._extensions: ExtensionCollection | None = None
        self._wire = wire
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._notifies = binding.transport.notifies_on_connection
        self._active_at = self._loop.time()
        self._idle: asyncio.TimerHandle | None = None
        self._idle_close: asyncio.Task[None] | None = None
        self._was_aborted = False

    @property
    def extensions(self) -> ExtensionCollection:
        """What others keep with this session. WCF: ``IContextChannel.Extensions``."""
        if self._extensions is None:
            self._extensions = ExtensionCollection(self)
        return self._extensions

    @property
    def peer(self) -> str:
        """The client as ``host:port``, fit for a log line."""
        return self._connection.peer

    def open(self) -> None:
        """Begin the session: OPENED. The dispatcher does it.

        Raises:
            InvalidOperationError: It is OPENED already.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                It was.

        WCF: ``Open``.
        """
        if self.state is CommunicationState.OPENED:
            raise InvalidOperationError(f"the channel is {self.state.value}: it was opened already")
        if self.state is not CommunicationState.CREATED:
            raise self._unusable()
        self.opening.fire(self)
        self.state = CommunicationState.OPENED
        self.opened.fire(self)
        if math.isfinite(self._binding.receive_timeout):
            self._idle = self._loop.call_later(self._binding.receive_timeout, self._check_idle)

    def send(self, message: Message, ping: bytes = b"") -> None:
        """Accept one message for this client, after those sent before it. Never waits.

        ``ping`` is a frame that goes right before it.

        A client over a bound of its outbox is given up, without an error here: the channel is FAULTED from
        then on, and no other client has to pay for it.

        Raises:
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                The channel is not OPENED any more.
            InvalidOperationError: It is not OPENED yet.
            TypeError, ValueError: The message cannot be sent as what it says it is.

        WCF: ``IOutputChannel.Send``, which waits until the bytes are written.
        """
        if self.state is not CommunicationState.OPENED:
            raise self._unusable()
        if not isinstance(message, Message):
            raise TypeError(f"a wsf.Message is sent, not {type(message).__name__}")
        for inspect in self.sending:
            message = inspect(message, self)
        frame = ping + message.encoded_once(self._wire, self._encode)
        self._meter.messages_sent += 1
        self._meter.bytes_sent += len(frame)
        self._active_at = self._loop.time()
        self.outbox.append(frame)

    async def request(self, message: Message, operation: str = "") -> Message:
        """Send a call to this client and wait for its answer, which may be a fault.

        Args:
            operation: Its name, for messages to the service's author.

        Raises:
            ReplyTimeoutError: There was no answer within sendTimeout; the session goes on.
            InvalidOperationError: The answer could not have been read, or too many calls wait already;
                nothing was sent. With ``strict_callbacks`` also where WCF's rule forbids the call.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                The channel is not OPENED, or the session ended before the answer came.
            TypeError, ValueError: As for ``send``.

        WCF: ``IRequestChannel.Request``, DuplexChannelBinder.
        """
        if self.state is not CommunicationState.OPENED:
            raise self._unusable()
        turn = CURRENT_TURN.get()
        if turn is not None and turn.is_over:
            turn = None  # a task that outlives its operation holds nothing up
        self._check_request(operation, turn)
        # who serves nobody holds nothing up: only an operation's call needs to know who knew of it
        number, ping = (0, b"") if turn is None else self._connection.ping()
        call = self.pending.add(operation, turn, number)
        try:
            self.send(attrs.evolve(message, message_id=call.message_id), ping)
            self.inbox.read_on()
            return await self._reply(call.reply, operation, turn)
        finally:
            self.pending.remove(call)

    def receive(self) -> Awaitable[Arrival]:
        """The next message; the connect notification first, if the transport is to give one.

        Raises, when awaited:
            ConnectionClosedError: The session's end.
            ProtocolError: The peer broke a rule; ``close`` with its ``close_code``.
        """
        if self._notifies:
            self._notifies = False
            return self._notification()
        return self.inbox.next()

    async def close(self, code: int | None = None, reason: str = "") -> None:
        """Send what waits, then a close frame, and wait for the client's: closeTimeout for all of it.

        Without a code it says what ``close_details`` has. One that was never opened is just CLOSED.

        Raises:
            CloseTimeoutError: The client did not answer in time; the channel was aborted. An operation that
                holds a lock others wait for had better call ``abort``, or ``close`` in a task of its own.
            CommunicationObjectAbortedError: It was aborted meanwhile, or the client did not keep up.
            CommunicationObjectFaultedError: It was FAULTED; it is CLOSED now.

        WCF: ``Close``.
        """
        if self.state is CommunicationState.FAULTED:
            self.abort()
            raise CommunicationObjectFaultedError(f"the channel was {CommunicationState.FAULTED.value}")
        if self.state is CommunicationState.CREATED:
            self.abort()
        if self.state in (CommunicationState.CLOSING, CommunicationState.CLOSED):
            return
        if code is None:
            said = self.close_details.output_close_status
            code, reason = said.code, said.reason
        self._begin_closing(CloseStatus(code, reason))
        try:
            async with asyncio.timeout(finite(self._binding.close_timeout)):
                await self.outbox.drain()
                if self._was_aborted:
                    raise CommunicationObjectAbortedError("the channel was aborted while it closed")
                await self._connection.close(code, reason)
        except TimeoutError:
            self._meter.close_timeouts += 1
            self.abort()
            raise CloseTimeoutError("the client did not answer the close frame (closeTimeout)") from None
        except BaseException:
            self.abort()
            raise
        self._finish()

    def abort(self) -> None:
        """End now, without a word to the client. Never waits, never raises. WCF: ``Abort``."""
        if self.state is CommunicationState.CLOSED:
            return
        self._was_aborted = True
        if self.state is CommunicationState.CLOSING:  # the client did not play its part
            said = self.close_status or CloseStatus(CloseCode.ABNORMAL)
            self.close_status = CloseStatus(said.code, f"{said.reason}; the client did not answer")
        self._begin_closing(CloseStatus(CloseCode.ABNORMAL, "aborted"))
        self.inbox.drop()
        self._connection.abort()
        self._finish()

    def ended(self, end: ConnectionClosedError) -> None:
        """The connection is over, by the peer's doing: CLOSED after a close frame, FAULTED without."""
        if end.clean:
            if end.code != CloseCode.ABNORMAL:
                self.close_details.input_close_status = CloseStatus(end.code, end.reason, "client")
            self._begin_closing(CloseStatus(end.code, end.reason, "client"))
            self._finish()
        else:
            lost = CommunicationObjectFaultedError("the connection was lost")
            self.fault(lost, end.code, end.reason, by="host" if end.reason else "client")

    def fault(self, error: CommunicationError, code: int, reason: str, by: str = "host") -> None:
        """The session cannot go on; nothing more is sent. Ignored once it is closing. WCF: ``Fault``."""
        if self.state in (CommunicationState.CREATED, CommunicationState.OPENED):
            self.state = CommunicationState.FAULTED
            self.close_status = CloseStatus(code, reason, by)
            logger.debug("session faulted: %s: %s", self.session_id, error)
            self.faulted.fire(self)
            self.outbox.close()
            self._connection.abort()
            self.pending.fail_all(self._unusable)

    async def _notification(self) -> Arrival:
        return Arrival(Message(None, action=ON_OPEN_ACTION, properties=self._connection.properties))

    async def _reply(self, reply: "asyncio.Future[Message]", operation: str, turn: Turn | None) -> Message:
        timeout = self._binding.send_timeout
        if turn is not None:
            turn.step_out()
        try:
            async with asyncio.timeout(finite(timeout)):
                return await reply
        except TimeoutError:
            self._meter.reply_timeouts += 1
            raise ReplyTimeoutError(
                f"{operation or 'a call'}: the client did not answer within {timeout:g} s (sendTimeout)"
            ) from None
        finally:
            if turn is not None:
                await turn.step_in()

    def _check_request(self, operation: str, turn: Turn | None) -> None:
        if self._strict_callbacks and turn is not None and self.inbox.occupied_by is turn:
            raise InvalidOperationError(
                f"{operation} is called in {turn.operation}, which its own session waits for, and "
                f"strict_callbacks is set: use ConcurrencyMode.REENTRANT or MULTIPLE, or make it one-way"
            )
        self.inbox.check_readable(operation, turn)

    def _encode(self, message: Message) -> bytes:
        return self._connection.frame(self.encoding.encode(message), message.message_type)

    def _decode(self, payload: bytes, message_type: MessageType) -> Message:
        self._active_at = self._loop.time()
        self._meter.messages_received += 1
        self._meter.bytes_received += len(payload)
        return self.encoding.decode(payload, message_type, self._connection.properties)

    def _on_end(self, end: CommunicationError) -> None:
        """The connection has ended while a call waits for its answer: the call ends now."""
        if isinstance(end, ConnectionClosedError):
            self.ended(end)
        else:
            self.pending.fail_all(lambda: CommunicationObjectFaultedError(f"the client broke a rule: {end}"))

    def _on_lost(self) -> None:
        self.ended(ConnectionClosedError(CloseCode.ABNORMAL, clean=False))

    def _on_slow(self, error: SlowClientError) -> None:
        if error.is_timeout:
            self._meter.send_timeouts += 1
        else:
            self._meter.slow_clients_aborted += 1
        if self.state is CommunicationState.CLOSING:
            self.abort()
        self.fault(error, error.close_code, str(error))

    def _begin_closing(self, status: CloseStatus) -> None:
        if self.state not in (CommunicationState.CLOSING, CommunicationState.CLOSED):
            self.state = CommunicationState.CLOSING
            self.close_status = self.close_status or status
            self.closing.fire(self)

    def _finish(self) -> None:
        if self.state is not CommunicationState.CLOSED:
            self.state = CommunicationState.CLOSED
            self.outbox.close()
            self.pending.fail_all(self._unusable)
            if self._idle is not None:
                self._idle.cancel()
            self.closed.fire(self)

    def _check_idle(self) -> None:
        """receiveTimeout: no message either way. Pings do not count. WCF: SessionIdleManager."""
        timeout = self._binding.receive_timeout
        rest = timeout if self.running_operations else self._active_at + timeout - self._loop.time()
        if self.state is not CommunicationState.OPENED:
            return
        if rest > 0:
            self._idle = self._loop.call_later(rest, self._check_idle)
            return
        self._meter.idle_timeouts += 1
        logger.warning(
            "session idle: %s %s: no message for %g s; to keep such sessions raise receiveTimeout "
            "(Infinite: never)",
            self.session_id,
            self.peer,
            timeout,
        )
        self._idle_close = asyncio.ensure_future(self._close_idle())

    async def _close_idle(self) -> None:
        try:
            await self.close(CloseCode.GOING_AWAY, "idle (receiveTimeout)")
        except (TimeoutError, CommunicationError) as error:
            logger.debug("session idle: %s: %s", self.session_id, error)

    def _unusable(self) -> WsfError:
        if self.state is CommunicationState.CREATED:
            return InvalidOperationError("the channel is Created: it is not open yet")
        if self.state is CommunicationState.FAULTED:
            reason = self.close_status.reason if self.close_status else ""
            return CommunicationObjectFaultedError(f"the channel is Faulted: {reason or 'connection lost'}")
        if self._was_aborted:
            return CommunicationObjectAbortedError("the channel was aborted")
        return CommunicationObjectClosedError(f"the channel is {self.state.value}")
