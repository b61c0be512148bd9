"""ClientChannel: one client's way to a service, over one session or, with reconnect, one after the other.

The law: a call fails at once, with an error that says why, while there is no session; none is kept, none is
sent twice. What a session is, its states and events, is ``DuplexSessionChannel``'s, as at a host.
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from wsf.callback import create_callback
from wsf.channel import DuplexSessionChannel
from wsf.client.backoff import Backoff, is_final, is_worth_another_try
from wsf.client.endpoint import ClientEndpoint
from wsf.communication_object import (
    CloseStatus,
    CommunicationObject,
    CommunicationState,
    RepeatedEvent,
    sendable,
)
from wsf.concurrency import current_turn
from wsf.dispatcher import Dispatcher
from wsf.errors import (
    CommunicationError,
    CommunicationObjectFaultedError,
    ConnectError,
    OpenTimeoutError,
    WsfError,
)
from wsf.settings import finite
from wsf.transports import ClientConnection

__all__ = ("ClientChannel",)

T = TypeVar("T")

logger = logging.getLogger("wsf.client")

CLOSED, CLOSING, FAULTED, OPENED, OPENING = (
    CommunicationState.CLOSED,
    CommunicationState.CLOSING,
    CommunicationState.FAULTED,
    CommunicationState.OPENED,
    CommunicationState.OPENING,
)

#: s that cancelled callbacks have to end, before their channel goes on without them
CANCEL_TIMEOUT: Final = 1.0


class ClientChannel(CommunicationObject, Generic[T]):
    """A way to a service. Made by ``DuplexChannelFactory.create_channel``.

    ::

        async with factory.create_channel() as ticker:
            await ticker.subscribe("MSFT")

    Attributes:
        state: Where it stands. With reconnect it gets back to OPENING when the link is lost, and to OPENED
            when there is a session again; without, it is FAULTED.
        reconnecting, reconnected: Happen each time that is so; with reconnect only.

    WCF: IClientChannel, and what CreateChannel returns.
    """

    kind = "channel"

    def __init__(self, endpoint: ClientEndpoint, dispatcher: Dispatcher) -> None:
        super().__init__()
        self.reconnecting = RepeatedEvent()
        self.reconnected = RepeatedEvent()
        self._endpoint = endpoint
        self._dispatcher = dispatcher
        self._proxy: Any = None
        self._session: DuplexSessionChannel | None = None
        self._connecting: asyncio.Future[ClientConnection] | None = None
        self._life: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Future[None] | None = None
        self._is_aborted = False
        self._why = ""

    @property
    def session(self) -> DuplexSessionChannel | None:
        """The latest session; None before the first. WCF: the inner channel."""
        return self._session

    @property
    def close_status(self) -> CloseStatus | None:
        """How the latest session ended; None while it lasts, and before the first."""
        return None if self._session is None else self._session.close_status

    async def open(self) -> T:
        """Connect, within openTimeout; the service, as its contract.

        Raises:
            EndpointNotFoundError, SecurityNegotiationError, UpgradeRefusedError, OpenTimeoutError,
            ConnectError: There is no session, and why.
            InvalidOperationError: It is open, or opens.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                It was, or could not be; or was ended meanwhile.
            Exception: Whatever the token provider raises.

        WCF: ``Open``.
        """
        self._demand_created()
        self._become(OPENING)
        try:
            connection = await self._connect()
            begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._life = asyncio.create_task(self._live(connection, begun))
            await begun
        except BaseException as error:
            self._give_up_opening(error)
            raise
        self.demand_opened()
        proxy: T = self._proxy
        return proxy

    async def close(self, code: int | None = None, reason: str = "") -> None:
        """Send what waits, say goodbye, and wait until nothing of it is left: closeTimeout for each.

        Callbacks that still run are waited for, and cancelled when the time is over. An operation of the
        callback object may call it, too: then it is not waited for.

        Raises:
            CloseTimeoutError: The service did not answer in time; the channel was aborted.
            CommunicationObjectFaultedError: It was FAULTED: what was sent last may not have arrived. It is
                CLOSED now.
            CommunicationObjectAbortedError: It was aborted meanwhile.
            ValueError: The code is none that may be sent; nothing has happened.

        WCF: ``Close``.
        """
        if code is not None:
            sendable(code, reason)
        faulted = self._unusable() if self.state is FAULTED else None
        self._was_closed = True
        session = self._session
        try:
            if session is not None and session.state is OPENED and self.state is OPENED:
                self._become(CLOSING)
                await session.close(code, reason)
            elif self.state is not CLOSING:
                self._cut()
        finally:
            if self.state is not CLOSING or session is None or session.state is not CLOSING:
                self._close_now()
            await self._end_of_life()
        if faulted is not None:
            raise faulted

    def abort(self) -> None:
        """End now, without a word. Never waits, never raises. WCF: ``Abort``."""
        if self.state is not CLOSED:
            self._is_aborted = True
            self._cut()
            self._close_now()

    async def wait_opened(self) -> None:
        """Wait until it is OPENED: for a reconnect, up to openTimeout.

        Raises:
            OpenTimeoutError: It was not within openTimeout.
            InvalidOperationError: Nobody has opened it.
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                It will not be any more.
        """
        timeout = self._endpoint.binding.open_timeout
        try:
            async with asyncio.timeout(finite(timeout)):
                while self.state is OPENING or self._is_ending:
                    self._changed = self._changed or asyncio.get_running_loop().create_future()
                    await asyncio.shield(self._changed)
        except TimeoutError:
            where = self._endpoint.shown
            raise OpenTimeoutError(f"{where} was not open within {timeout:g} s (openTimeout)") from None
        self.demand_opened()

    async def __aenter__(self) -> T:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except (CommunicationError, TimeoutError) as closing:
            if error is None:
                raise
            logger.debug("closing %s: %s", self._endpoint.shown, closing)  # the body's own error says more

    @property
    def _is_ending(self) -> bool:
        """Whether the session has ended in this very turn: what that means is decided in the next."""
        is_over = self._session is not None and self._session.state is not OPENED
        return self.state is OPENED and is_over

    async def _connect(self, delay: float = 0.0) -> ClientConnection:
        connecting = self._connecting = asyncio.ensure_future(self._endpoint.connect(delay))
        try:
            return await connecting
        except BaseException:
            if connecting.done() and not connecting.cancelled() and connecting.exception() is None:
                connection = connecting.result()  # it came in the very moment in which we went
                connection.abort()
                await connection.release()
            raise
        finally:
            self._connecting = None

    def _give_up_opening(self, error: BaseException) -> None:
        """What ``open`` leaves behind: a FAULTED channel; or, if it was ended meanwhile, what that left.

        Raises:
            CommunicationObjectClosedError, CommunicationObjectAbortedError: It was ended meanwhile.
        """
        task = asyncio.current_task()
        is_cancelled = task is not None and task.cancelling() > 0
        if self.state in (OPENING, OPENED):
            self._cut()
            self._fail(str(error) or type(error).__name__)
        elif not is_cancelled:
            raise self._unusable() from error

    async def _live(self, connection: ClientConnection | None, begun: "asyncio.Future[None]") -> None:
        """One session after the other, as long as there is one to come."""
        loop = asyncio.get_running_loop()
        reconnect = self._endpoint.reconnect
        backoff = None if reconnect is None else Backoff(reconnect)

        def begin(channel: DuplexSessionChannel) -> None:
            self._take(channel)
            if not begun.done():
                begun.set_result(None)

        try:
            while connection is not None:
                began, self._lost = loop.time(), loop.create_future()
                serving = asyncio.create_task(self._serve(connection, begin))
                self._serving.add(serving)
                serving.add_done_callback(self._serving.discard)
                # a lost link cancels no callback that still runs: who comes back does not wait for it
                await asyncio.wait([serving, self._lost], return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    serving.result()
                await asyncio.sleep(0)  # the session's last events happen in a turn of their own
                connection = None if backoff is None else await self._again(backoff, loop.time() - began)
        finally:
            if not begun.done():
                begun.set_result(None)
            if self.state in (OPENING, OPENED):
                self._fail(self._why or "its session was ended")
            if self._serving:
                await asyncio.wait(self._serving)

    async def _serve(
        self, connection: ClientConnection, begin: Callable[[DuplexSessionChannel], None]
    ) -> None:
        """One session, from its beginning until nothing of it runs."""
        try:
            if self.state is OPENING:
                await self._dispatcher.serve(connection, begin)
            else:
                connection.abort()
        finally:
            await connection.release()

    def _take(self, channel: DuplexSessionChannel) -> None:
        """A session has begun: what was the service's proxy still is."""
        is_first = self._session is None
        self._session, channel.owner = channel, self
        channel.faulted += self._on_faulted
        channel.closed += self._on_closed
        if self._proxy is None:
            promised: Any = self._endpoint.contract.callback
            self._proxy = create_callback(promised, channel)
        else:
            self._proxy._channel = channel
            channel.callback = self._proxy
        self._become(OPENED)
        if not is_first:
            logger.info("reconnected: %s", self._endpoint.shown)
            self._endpoint.meter.reconnects += 1
            self.reconnected.fire(self)

    def _on_faulted(self, channel: DuplexSessionChannel) -> None:
        self._ended(channel, FAULTED)

    def _on_closed(self, channel: DuplexSessionChannel) -> None:
        self._ended(channel, CLOSED)

    def _ended(self, channel: DuplexSessionChannel, state: CommunicationState) -> None:
        """The session has ended, in the turn before."""
        if channel is not self._session or self.state is not OPENED:
            return
        status = channel.close_status
        self._why = (status.reason if status else "") or "connection lost"
        if self._endpoint.reconnect is not None and is_worth_another_try(state, status):
            self._become(OPENING)
            self.reconnecting.fire(self)
            if self._lost is not None and not self._lost.done():
                self._lost.set_result(None)
        elif state is FAULTED:
            self._fail(self._why)
        else:
            self._is_aborted = status is not None and status.by == "client" and not self._was_closed
            self._close_now()

    async def _again(self, backoff: Backoff, lasted: float) -> ClientConnection | None:
        """Connect again, as often as it takes; None: there is no use, or no need."""
        backoff.after(lasted)
        error: Exception | None = None
        while self.state is OPENING:
            delay = None if error is not None and is_final(error) else backoff.next(error)
            if delay is None:
                self._fail(str(error or self._why))
                break
            try:
                logger.info("reconnecting: %s in %.2f s", self._endpoint.shown, delay)
                return await self._connect(delay)
            except asyncio.CancelledError:
                if self.state is OPENING:
                    raise
            except Exception as raised:  # the token provider's own: it is asked again
                error = raised
                why = (
                    raised if isinstance(raised, ConnectError) else type(raised).__name__
                )  # it may hold secrets
                logger.warning("reconnecting: %s: %s", self._endpoint.shown, why)
        return None

    def _cut(self) -> None:
        """End what there is, without a word."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._session is not None:
            self._session.abort()

    def _fail(self, why: str) -> None:
        self._why = why
        self._become(FAULTED)

    def _close_now(self) -> None:
        if self.state not in (CLOSING, CLOSED):
            self._become(CLOSING)
        if self.state is not CLOSED:
            self._become(CLOSED)

    async def _end_of_life(self) -> None:
        """Wait until the last session is over and told, and its connection gone."""
        turn = current_turn()
        is_ours = turn is not None and not turn.is_over and getattr(turn.channel, "owner", None) is self
        if self._life is None or is_ours:
            return
        timeout = finite(self._endpoint.binding.close_timeout)
        await asyncio.wait([self._life], timeout=timeout)
        if not self._life.done():
            await self._dispatcher.abort()
            await asyncio.wait([self._life], timeout=CANCEL_TIMEOUT)

    def _become(self, state: CommunicationState) -> None:
        super()._become(state)
        changed, self._changed = self._changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)

    def _unusable(self) -> WsfError:
        if self.state is OPENING and self._session is not None:
            return CommunicationObjectFaultedError(
                f"the link was lost ({self._why}), and is not there again yet"
            )
        return super()._unusable()

    @property
    def _was_aborted(self) -> bool:
        return self._is_aborted

    @property
    def _end_reason(self) -> str:
        return self._why
