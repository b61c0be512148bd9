"""DuplexSessionChannel: one session, in messages. It alone owns the state.

The law: ``send`` is an append to the outbox and never waits. Handlers of a channel's events run in a later
turn of the event loop, never inside the call that caused them: a loop over a room may send to a client that
is over its bound without the room changing under it.
"""

import asyncio
import inspect
import itertools
import logging
import math
import uuid
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any, Final, Self

from attrs import frozen

from wsf.bindings import Binding
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
    SlowClientError,
)
from wsf.message import ON_OPEN_ACTION, Message
from wsf.outbox import Outbox
from wsf.settings import finite
from wsf.transports import Connection

__all__ = ("CloseStatus", "CommunicationState", "DuplexSessionChannel", "Event")

logger = logging.getLogger(__name__)


class CommunicationState(Enum):
    """Where a channel or host stands. WCF: CommunicationState."""

    CREATED = "Created"
    OPENING = "Opening"
    OPENED = "Opened"
    CLOSING = "Closing"
    CLOSED = "Closed"
    FAULTED = "Faulted"


@frozen
class CloseStatus:
    """How a session ended: a close code, a short reason, and whose they are: the host's or the client's."""

    code: int
    reason: str = ""
    by: str = "host"


class Event:
    """Something that happens to a channel at most once; ``+=`` subscribes, ``-=`` takes it back.

    A handler is called with the channel. Subscribing the same handler twice is once. A handler that comes
    too late is never called. WCF: the events of ICommunicationObject.
    """

    __slots__ = ("_handlers",)

    def __init__(self) -> None:
        self._handlers: list[Callable[[Any], object]] = []

    def __iadd__(self, handler: Callable[[Any], object]) -> Self:
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler.__qualname__} is async: a handler of an event is an ordinary function")
        if handler not in self._handlers:
            self._handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[[Any], object]) -> Self:
        if handler in self._handlers:
            self._handlers.remove(handler)
        return self

    def fire(self, sender: Any) -> None:
        """Call every handler in the next turn of the event loop; one that raises is logged."""
        if self._handlers:
            asyncio.get_running_loop().call_soon(self._call, sender)

    def _call(self, sender: Any) -> None:
        handlers, self._handlers = self._handlers, []
        for handler in handlers:
            try:
                handler(sender)
            except Exception:  # one subscriber's bug is no other's problem, nor the channel's
                logger.exception("a handler of a channel's event failed: %r", handler)


#: the first part of session ids: one for each process, as WCF has one for each application domain
_PROCESS_ID: Final = uuid.uuid4()
_numbers = itertools.count(1)


class DuplexSessionChannel:
    """One client's session. WCF: IDuplexSessionChannel, IContextChannel, ICommunicationObject.

    Any task may send, close or abort; ``receive`` is the dispatcher's alone.

    Args:
        connection: Open already: the transport accepted it.
        wire: Stands for encoding and framing: what a message's bytes depend on.
        max_bytes, max_messages: The outbox's bounds.

    Attributes:
        session_id: ``uuid:...;id=n``, as WCF has it.
        state: Read it before a send that may not fail.
        close_status: How the session ended; None while it lasts.
        callback: The typed proxy of the client, once somebody asked for it.
        running_operations: How many the client's messages have started that have not ended: no idle session.
    """

    def __init__(
        self,
        connection: Connection,
        binding: Binding,
        wire: Hashable,
        meter: Meter,
        *,
        max_bytes: int,
        max_messages: int,
    ) -> None:
        self.session_id = f"uuid:{_PROCESS_ID};id={next(_numbers)}"
        self.state = CommunicationState.CREATED
        self.close_status: CloseStatus | None = None
        self.callback: Any = None
        self.running_operations = 0
        self.opened = Event()
        self.closing = Event()
        self.closed = Event()
        self.faulted = Event()
        self.outbox = Outbox(
            connection,
            max_bytes=max_bytes,
            max_messages=max_messages,
            send_timeout=binding.send_timeout,
            on_slow=self._on_slow,
        )
        connection.lost = self._on_lost
        self._connection = connection
        self._binding = binding
        self._encoding = binding.encoding
        self._wire = wire
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._notifies = binding.transport.notifies_on_connection
        self._active_at = self._loop.time()
        self._idle: asyncio.TimerHandle | None = None
        self._idle_close: asyncio.Task[None] | None = None
        self._was_aborted = False

    @property
    def peer(self) -> str:
        """The client as ``host:port``, fit for a log line."""
        return self._connection.peer

    def open(self) -> None:
        """Begin the session: OPENED. WCF: ``Open``."""
        if self.state is not CommunicationState.CREATED:
            raise InvalidOperationError(f"the channel is {self.state.value}: it was opened already")
        self.state = CommunicationState.OPENED
        self.opened.fire(self)
        if math.isfinite(self._binding.receive_timeout):
            self._idle = self._loop.call_later(self._binding.receive_timeout, self._check_idle)

    def send(self, message: Message) -> None:
        """Accept one message for this client, after those sent before it. Never waits.

        A client over a bound of its outbox is given up, without an error here: the channel is FAULTED from
        then on, and no other client has to pay for it.

        Raises:
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                The channel is not OPENED.
            TypeError, ValueError: The message cannot be sent as what it says it is.

        WCF: ``IOutputChannel.Send``, which waits until the bytes are written.
        """
        if self.state is not CommunicationState.OPENED:
            raise self._unusable()
        if not isinstance(message, Message):
            raise TypeError(f"a wsf.Message is sent, not {type(message).__name__}")
        frame = message.encoded_once(self._wire, self._encode)
        self._meter.messages_sent += 1
        self._meter.bytes_sent += len(frame)
        self._active_at = self._loop.time()
        self.outbox.append(frame)

    async def receive(self) -> Message:
        """The next message; the connect notification first, if the transport is to give one.

        Raises:
            ConnectionClosedError: The session's end.
            ProtocolError: The peer broke a rule; ``close`` with its ``close_code``.
        """
        if self._notifies:
            self._notifies = False
            return Message(None, action=ON_OPEN_ACTION, properties=self._connection.properties)
        payload, message_type = await self._connection.receive()
        self._active_at = self._loop.time()
        self._meter.messages_received += 1
        self._meter.bytes_received += len(payload)
        return self._encoding.decode(payload, message_type, self._connection.properties)

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits, then a close frame, and wait for the client's: closeTimeout for all of it.

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
        if self.state in (CommunicationState.CLOSING, CommunicationState.CLOSED):
            return
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
        self._connection.abort()
        self._finish()

    def ended(self, end: ConnectionClosedError) -> None:
        """The connection is over, by the peer's doing: CLOSED after a close frame, FAULTED without."""
        if end.clean:
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

    def _encode(self, message: Message) -> bytes:
        return self._connection.frame(self._encoding.encode(message), message.message_type)

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

    def _unusable(self) -> CommunicationError:
        if self.state is CommunicationState.FAULTED:
            reason = self.close_status.reason if self.close_status else ""
            return CommunicationObjectFaultedError(f"the channel is Faulted: {reason or 'connection lost'}")
        if self._was_aborted:
            return CommunicationObjectAbortedError("the channel was aborted")
        return CommunicationObjectClosedError(f"the channel is {self.state.value}")
