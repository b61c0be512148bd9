"""DuplexSessionChannel: one session, in messages. It alone owns the state.

The law: ``send`` is an append to the outbox and never waits. Handlers of a channel's events run in a later
turn of the event loop, never inside the call that caused them: a loop over a room may send to a client that
is over its bound without the room changing under it.
"""

import asyncio
import itertools
import logging
import uuid
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

import attrs

from wsf.behaviors import CallbackSettings, OutboxSettings
from wsf.bindings import Binding
from wsf.communication_object import (
    CloseDetails,
    CloseStatus,
    CommunicationObject,
    CommunicationState,
    sendable,
)
from wsf.concurrency import Turn, current_turn
from wsf.correlation import PendingCalls
from wsf.counters import Meter
from wsf.errors import (
    CloseCode,
    CloseTimeoutError,
    CommunicationError,
    CommunicationObjectAbortedError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    ReplyTimeoutError,
    SlowClientError,
)
from wsf.extension_collection import ExtensionCollection
from wsf.idle import IdleWatch
from wsf.inbox import Arrival, Inbox
from wsf.message import ON_OPEN_ACTION, Message, MessageType
from wsf.outbox import Outbox
from wsf.settings import finite
from wsf.transports import Connection

__all__ = ("DuplexSessionChannel", "Inspect")

logger = logging.getLogger(__name__)

#: what an inspector makes of a message on its way out: the same one, or another
Inspect = Callable[[Message, Any], Message]

#: the first part of session ids: one for each process, as WCF has one for each application domain
_PROCESS_ID: Final = uuid.uuid4()
_numbers = itertools.count(1)


class DuplexSessionChannel(CommunicationObject):
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
        peer: The client as ``host:port``, fit for a log line.
        state: Read it before a send that may not fail.
        close_status: How the session ended; None while it lasts.
        callback: The typed proxy of the client, once somebody asked for it.
        running_operations: How many the client's messages have started that have not ended: no idle session.
        close_details: The codes and reasons of both sides.
        sending: What sees each message on its way out, in this order.
    """

    kind = "channel"

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
        super().__init__()
        outbox, callbacks = outbox or OutboxSettings(), callbacks or CallbackSettings()
        self.session_id = f"uuid:{_PROCESS_ID};id={next(_numbers)}"
        self.peer = connection.peer
        self.close_status: CloseStatus | None = None
        self.callback: Any = None
        self.running_operations = 0
        self.close_details = CloseDetails()
        self.sending: tuple[Inspect, ...] = ()
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
        self._idle = IdleWatch(binding.receive_timeout, lambda: self.running_operations > 0, self._on_idle)
        self._idle_close: asyncio.Task[None] | None = None
        self._is_aborted = False

    @property
    def extensions(self) -> ExtensionCollection:
        """What others keep with this session. WCF: ``IContextChannel.Extensions``."""
        if self._extensions is None:
            self._extensions = ExtensionCollection(self)
        return self._extensions

    def open(self) -> None:
        """Begin the session: OPENED. The dispatcher does it.

        Raises:
            InvalidOperationError: It is OPENED already.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                It was.

        WCF: ``Open``.
        """
        self._demand_created()
        self._become(CommunicationState.OPENING)
        self._become(CommunicationState.OPENED)
        self._idle.start()

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
        self.demand_opened()
        if not isinstance(message, Message):
            raise TypeError(f"a wsf.Message is sent, not {type(message).__name__}")
        for inspect in self.sending:
            message = inspect(message, self)
        frame = ping + message.encoded_once(self._wire, self._encode)
        self._meter.messages_sent += 1
        self._meter.bytes_sent += len(frame)
        self._idle.active_at = self._loop.time()
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
        self.demand_opened()
        turn = current_turn()
        if turn is not None and turn.is_over:
            turn = None  # a task that outlives its operation holds nothing up
        self.inbox.check_call(operation, turn, is_strict=self._strict_callbacks)
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
            ValueError: The code is none that may be sent; nothing has happened.

        WCF: ``Close``.
        """
        said = self.close_details.output_close_status if code is None else sendable(code, reason)
        self._was_closed = True
        if self.state is CommunicationState.FAULTED:
            self.abort()
            raise CommunicationObjectFaultedError(f"the channel was {CommunicationState.FAULTED.value}")
        if self.state is CommunicationState.CREATED:
            self.abort()
        if self.state in (CommunicationState.CLOSING, CommunicationState.CLOSED):
            return
        connection = self._connection  # it may be let go of meanwhile
        self._begin_closing(said)
        try:
            async with asyncio.timeout(finite(self._binding.close_timeout)):
                await self.outbox.drain()
                if self._is_aborted:
                    raise CommunicationObjectAbortedError("the channel was aborted while it closed")
                await connection.close(said.code, said.reason)
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
        self._is_aborted = True
        if self.state is CommunicationState.CLOSING:  # the client did not play its part
            said = self.close_status or CloseStatus(CloseCode.ABNORMAL)
            said_why = f"{said.reason}; " if said.reason else ""
            self.close_status = CloseStatus(said.code, f"{said_why}the client did not answer")
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
            self._become(CommunicationState.FAULTED)
            self._idle.stop()
            self.close_status = CloseStatus(code, reason, by)
            logger.debug("session faulted: %s: %s", self.session_id, error)
            self.outbox.close()
            if isinstance(error, SlowClientError) and not error.is_timeout:
                self._connection.cut(code, reason)  # it may still read, and hear why
            else:
                self._connection.abort()
            self.pending.fail_all(self._unusable)

    async def _notification(self) -> Arrival:
        return Arrival(Message(None, action=ON_OPEN_ACTION, properties=self._connection.properties))

    def forget(self) -> None:
        """The session is over and told: keep only its name and how it ended. For the dispatcher.

        A room may keep the proxy of a client that has long gone.
        """
        self._loop.call_soon(self._let_go)  # handlers of the last events may still look at the rest

    def _let_go(self) -> None:
        for event in (self.opening, self.opened, self.closing, self.closed, self.faulted):
            event.forget()
        self._extensions = None
        del self.inbox, self.outbox, self._connection  # with them the socket, and what the dispatcher kept

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

    def _encode(self, message: Message) -> bytes:
        kind = self.encoding.frame_type or message.message_type
        return self._connection.frame(self.encoding.encode(message), kind)

    def _decode(self, payload: bytes, message_type: MessageType) -> Message:
        self._idle.active_at = self._loop.time()
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
            self._become(CommunicationState.CLOSING)
            self.close_status = self.close_status or status

    def _finish(self) -> None:
        if self.state is not CommunicationState.CLOSED:
            self._become(CommunicationState.CLOSED)
            self._idle.stop()
            self.outbox.close()
            self.pending.fail_all(self._unusable)

    def _on_idle(self) -> None:
        self._meter.idle_timeouts += 1
        logger.warning(
            "session idle: %s %s: no message for %g s; to keep such sessions raise receiveTimeout "
            "(Infinite: never)",
            self.session_id,
            self.peer,
            self._binding.receive_timeout,
        )
        self._idle_close = asyncio.ensure_future(self._close_idle())

    async def _close_idle(self) -> None:
        try:
            await self.close(CloseCode.GOING_AWAY, "idle (receiveTimeout)")
        except (TimeoutError, CommunicationError) as error:
            logger.debug("session idle: %s: %s", self.session_id, error)

    @property
    def _was_aborted(self) -> bool:
        return self._is_aborted

    @property
    def _end_reason(self) -> str:
        return (self.close_status.reason if self.close_status else "") or "connection lost"
