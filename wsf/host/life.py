"""A host's life: it opens, or is FAULTED; it closes gracefully, or is aborted; each event happens once.

The law: whoever ends a host waits for the same end, whatever it was doing, and nothing of it stays open.
WCF: ServiceHostBase, CommunicationObject.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Final, Self

from wsf.communication_object import CloseStatus, CommunicationObject, CommunicationState
from wsf.dispatcher import Dispatcher
from wsf.draining import DrainSettings
from wsf.errors import CloseCode, CommunicationObjectAbortedError, InvalidOperationError
from wsf.host.drain import Draining
from wsf.host.log import plural
from wsf.settings import finite
from wsf.transports import Entrance, Listener

__all__ = ("HostLife",)

logger = logging.getLogger("wsf.host")

#: what clients are told: perhaps never again, or in a moment
GOING_AWAY: Final = CloseStatus(CloseCode.GOING_AWAY, "shutting down")
SERVICE_RESTART: Final = CloseStatus(CloseCode.SERVICE_RESTART, "restarting")


class HostLife(CommunicationObject, ABC):
    """What of a host has to do with time.

    Args:
        open_timeout, close_timeout: s for ``open`` and ``close``.
        drain: How fast ``close`` lets clients go.
    """

    kind = "host"

    def __init__(self, open_timeout: float, close_timeout: float, drain: DrainSettings) -> None:
        super().__init__()
        self._open_timeout = open_timeout
        self._close_timeout = close_timeout
        self._drain = drain
        self._entrances: list[tuple[Listener, Entrance]] = []
        self._dispatchers: list[Dispatcher] = []
        self._closing: asyncio.Future[None] | None = None
        self._deadline: asyncio.Timeout | None = None
        self._opening_over: asyncio.Future[None] | None = None
        self._cutting: asyncio.Future[None] | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """What log lines call it."""

    @abstractmethod
    async def _begin(self) -> None:
        """What may fail or take its time when it opens."""

    @abstractmethod
    def _announce(self) -> None:
        """It is open."""

    @abstractmethod
    def _refuse_waiting(self) -> None:
        """It closes: who waits to be let in need not wait for the end."""

    @abstractmethod
    async def _release(self) -> None:
        """It has ended: give up what was made for it."""

    async def open(self) -> None:
        """Check the rest, listen, and serve.

        Raises:
            ContractError: A contract cannot be dispatched, or not over its binding.
            AddressAlreadyInUseError, AddressAccessDeniedError, ListenError: An address cannot be had.
            TimeoutError: It took longer than ``open_timeout``.
            InvalidOperationError: The host is open, or opens.
            CommunicationObjectClosedError, CommunicationObjectFaultedError: It was, or could not be.
            CommunicationObjectAbortedError: It was aborted, perhaps while it opened.

        WCF: ``Open``.
        """
        self._demand_created()
        self._become(CommunicationState.OPENING)
        self._opening_over = asyncio.get_running_loop().create_future()
        self._deadline = asyncio.timeout(finite(self._open_timeout))
        try:
            async with self._deadline:
                await self._begin()
            if self.state is not CommunicationState.OPENING:
                raise InvalidOperationError("it ends")
        except BaseException as error:
            await self._fail_to_open(error)
            raise
        finally:
            self._opening_over.set_result(None)
        self._become(CommunicationState.OPENED)
        self._announce()

    async def close(self, *, restarting: bool = False) -> None:
        """Stop accepting, let running operations end, send 1001, wait; at ``close_timeout`` cut.

        Many clients are told in batches (``DrainSettings``); who has not been told yet is served on. Running
        over the deadline is logged, and no error. Any task may call it, an operation too, which is then cut
        at the deadline; whoever calls it again waits for the same end, which says what the first one wanted
        said. A host that was not open, or could not be opened, is just CLOSED: what was wrong, ``open`` has
        said.

        Args:
            restarting: The service will be back in a moment: clients hear 1012 in place of 1001.

        WCF: ``Close``.
        """
        self._was_closed = True
        if self.state is CommunicationState.OPENED and self._closing is None:
            self._closing = asyncio.ensure_future(self._close(SERVICE_RESTART if restarting else GOING_AWAY))
        await self._end()

    async def abort(self) -> None:
        """End every session now, without a word, cancel running operations, and stop listening.

        A ``close`` or an ``open`` that is under way is cut short; ``open`` raises then. Waits a moment for
        the operations to notice. WCF: ``Abort``.
        """
        if self.state is CommunicationState.CLOSING and self._cutting is None:
            self._cutting = asyncio.ensure_future(self._cut())
        await self._end()

    async def _end(self) -> None:
        """Wait for the end that has begun; without one, end now."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._abort())
        await asyncio.shield(self._closing)

    async def _close(self, end: CloseStatus) -> None:
        self._become(CommunicationState.CLOSING)
        self._stop_accepting()
        draining = Draining(self.name, self._dispatchers, self._drain, end, self._close_timeout)
        logger.info(
            "closing: %s: %s, told %d %s, at most %g s (closeTimeout)",
            self.name,
            plural(draining.total, "session"),
            end.code,
            end.reason,
            self._close_timeout,
        )
        try:
            async with asyncio.timeout(finite(self._close_timeout)):
                await draining.run()
        except TimeoutError:
            logger.warning(
                "cut: %s: %s, %s still running: closeTimeout (%g s) is over",
                self.name,
                plural(draining.left, "session"),
                plural(draining.running_operations, "operation"),
                self._close_timeout,
            )
        finally:
            await self._stop()
            self._become(CommunicationState.CLOSED)
        logger.info("closed: %s: %d cleanly, %d cut", self.name, draining.total - draining.cut, draining.cut)

    async def _abort(self) -> None:
        was_opening = self.state is CommunicationState.OPENING
        self._become(CommunicationState.CLOSING)
        if was_opening and self._deadline is not None and self._opening_over is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())
            await self._opening_over
        await self._stop()
        self._become(CommunicationState.CLOSED)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _fail_to_open(self, error: BaseException) -> None:
        """What ``open`` leaves behind: a FAULTED host; or, if it is aborted meanwhile, no trace."""
        is_aborted = self.state is not CommunicationState.OPENING
        if not is_aborted:
            self._become(CommunicationState.FAULTED)
        await self._stop()
        if is_aborted and isinstance(error, Exception):
            raise CommunicationObjectAbortedError("the host was aborted while it opened") from error

    def _stop_accepting(self) -> None:
        for listener, entrance in self._entrances:
            listener.remove(entrance)
        self._refuse_waiting()

    async def _cut(self) -> None:
        await asyncio.gather(*(dispatcher.abort() for dispatcher in self._dispatchers))

    async def _stop(self) -> None:
        """Everything but a clean goodbye."""
        self._stop_accepting()
        entrances, self._entrances = self._entrances, []  # each is left once, however often a host is ended
        await self._cut()
        for listener, _ in entrances:
            await listener.close()
        try:
            await self._release()
        except Exception:  # a service's own aclose(): its host ends all the same
            logger.exception("releasing the service object of %s failed", self.name)

    @property
    def _was_aborted(self) -> bool:
        return True  # unless close() was called

    @property
    def _end_reason(self) -> str:
        return "it could not be opened"
