"""A session's life: it opens, and closes, faults or is aborted, each event at most once and in WCF's order.

The law: whoever ends a session waits for the same end; what was accepted for the client goes out before our
close frame, and nothing after it. WCF: CommunicationObject, ServiceChannel.
"""

import asyncio
import logging
from abc import ABC

import attrs

from wsf.bindings import Binding
from wsf.communication_object import (
    CloseDetails,
    CloseStatus,
    CommunicationObject,
    CommunicationState,
    sendable,
)
from wsf.correlation import PendingCalls
from wsf.counters import Meter
from wsf.errors import (
    CloseCode,
    CloseTimeoutError,
    CommunicationError,
    CommunicationObjectAbortedError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    SlowClientError,
    WsfError,
)
from wsf.extension_collection import ExtensionCollection
from wsf.idle import IdleWatch
from wsf.inbox import Inbox
from wsf.open_streams import OpenStreams
from wsf.outbox import Outbox
from wsf.settings import finite
from wsf.transports import Connection

__all__ = ("ChannelLife",)

logger = logging.getLogger("wsf.channel")


class ChannelLife(CommunicationObject, ABC):
    """What of a channel has to do with its beginning and its end.

    Attributes:
        session_id: ``uuid:...;id=n``, as WCF has it.
        peer: The peer as ``host:port``, fit for a log line.
        peer_kind: What it is: a ``client``, or the ``service`` that this end is a client of.
        close_status: How the session ended; None while it lasts.
        close_details: The codes and reasons of both sides.
        owner: A client's channel, which may outlive its sessions; None at a host.
    """

    # with as many attributes, a dictionary for them would be a tenth of what an idle session takes
    __slots__ = (
        "_binding",
        "_connection",
        "_extensions",
        "_idle_close",
        "_is_aborted",
        "_loop",
        "_meter",
        "close_details",
        "close_status",
        "owner",
        "peer",
        "peer_kind",
        "session_id",
    )

    kind = "channel"

    # made by the channel, which knows what they carry
    inbox: Inbox
    outbox: Outbox
    pending: PendingCalls
    streams: OpenStreams
    _idle: IdleWatch

    def __init__(self, connection: Connection, binding: Binding, meter: Meter, session_id: str) -> None:
        super().__init__()
        self.session_id = session_id
        self.peer = connection.peer
        self.peer_kind = connection.peer_kind
        self.close_status: CloseStatus | None = None
        self.close_details = CloseDetails()
        self.owner: CommunicationObject | None = None
        self._connection = connection
        self._binding = binding
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._extensions: ExtensionCollection | None = None
        self._idle_close: asyncio.Task[None] | None = None
        self._is_aborted = False
        connection.lost = self._on_lost

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
            raise CloseTimeoutError(
                f"the {self.peer_kind} did not answer the close frame (closeTimeout)"
            ) from None
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
            why = f"{said_why}the {self.peer_kind} did not answer"
            self.close_status = attrs.evolve(said, reason=why)
        self._begin_closing(CloseStatus(CloseCode.ABNORMAL, "aborted"))
        self.inbox.drop()
        self._connection.abort()
        self._finish()

    def ended(self, end: ConnectionClosedError) -> None:
        """The connection is over, by the peer's doing: CLOSED after a close frame, FAULTED without."""
        if end.clean:
            if end.code != CloseCode.ABNORMAL:
                self.close_details.input_close_status = self._seen(
                    CloseStatus(end.code, end.reason, "client")
                )
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
            self.close_status = self._seen(CloseStatus(code, reason, by))
            logger.debug("session faulted: %s: %s", self.session_id, error)
            self.outbox.close()
            if isinstance(error, SlowClientError) and not error.is_timeout:
                self._connection.cut(code, reason)  # it may still read, and hear why
            else:
                self._connection.abort()
            self.pending.fail_all(self._unusable)
            self.streams.close()

    def forget(self) -> None:
        """The session is over and told: keep only its name and how it ended. For the dispatcher.

        A room may keep the proxy of a client that has long gone.
        """
        self._loop.call_soon(self._let_go)  # handlers of the last events may still look at the rest

    def _let_go(self) -> None:
        self._forget_handlers()
        self._extensions = None
        # with them the socket, and what the dispatcher kept; who still waits for an answer needs ``pending``
        del self.inbox, self.outbox, self._connection, self._idle

    def _on_lost(self) -> None:
        self.ended(ConnectionClosedError(CloseCode.ABNORMAL, clean=False))

    def _on_slow(self, error: SlowClientError) -> None:
        if error.is_timeout:
            self._meter.send_timeouts += 1
        else:
            self._meter.slow_clients_aborted += 1
        self._meter.count_cut(error.operation, "sendTimeout" if error.is_timeout else "outbox")
        if self.state is CommunicationState.CLOSING:
            self.abort()
        self.fault(error, error.close_code, str(error))

    def _begin_closing(self, status: CloseStatus) -> None:
        if self.state not in (CommunicationState.CLOSING, CommunicationState.CLOSED):
            self._become(CommunicationState.CLOSING)
            self.close_status = self.close_status or self._seen(status)

    def _seen(self, status: CloseStatus) -> CloseStatus:
        """A status whose ``host`` is this end: as it is at a host, the other way round at a client."""
        if self.peer_kind == "client":
            return status
        return attrs.evolve(status, by="client" if status.by == "host" else "host")

    def _finish(self) -> None:
        if self.state is not CommunicationState.CLOSED:
            self._become(CommunicationState.CLOSED)
            self._idle.stop()
            self.outbox.close()
            self.pending.fail_all(self._unusable)
            self.streams.close()

    def on_idle(self) -> None:
        """Nobody has said anything for ``receiveTimeout``. For the watch."""
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

    def _unusable(self) -> WsfError:
        """What is over here may be lost, or on its way back, for who owns it."""
        owner = self.owner
        is_owners = owner is not None and owner.state in (
            CommunicationState.FAULTED,
            CommunicationState.OPENING,
        )
        if owner is not None and is_owners and self.state is CommunicationState.CLOSED:
            return owner._unusable()
        return super()._unusable()

    @property
    def _was_aborted(self) -> bool:
        return self._is_aborted

    @property
    def _end_reason(self) -> str:
        return (self.close_status.reason if self.close_status else "") or "connection lost"
