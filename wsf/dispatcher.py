"""The dispatcher: an endpoint's sessions, from their first message to their close frame.

What becomes of the messages is the channel handler's. WCF: ChannelDispatcher.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Hashable
from typing import Any, Final, cast

from wsf.bindings import Binding
from wsf.callback import callback_operations
from wsf.channel import DuplexSessionChannel
from wsf.channel_handler import ChannelHandler
from wsf.communication_object import CloseStatus, CommunicationState
from wsf.description import ContractDescription
from wsf.errors import CloseCode
from wsf.faults import check_faults
from wsf.service_runtime import ServiceRuntime
from wsf.session import Session
from wsf.transports import Connection

__all__ = ("Dispatcher",)

logger = logging.getLogger("wsf.sessions")

#: s that cancelled operations have to end, before the host goes on without them
ABORT_TIMEOUT: Final = 1.0


class Dispatcher:
    """Serves the sessions of one endpoint.

    Args:
        wire: Stands for encoding and framing, one object for each binding.

    Raises:
        ContractError: A parameter, a result or a fault's detail has no form on that wire.
    """

    def __init__(
        self, contract: ContractDescription, binding: Binding, wire: Hashable, service: ServiceRuntime
    ) -> None:
        self._contract = contract
        self._binding = binding
        self._wire = wire
        self._service = service
        self._pump = service.pump
        handler = ChannelHandler(contract, binding, service)
        # bound once: each session keeps them
        self._screening, self._stepping = handler.screen, handler.step
        self._afterwards = service.pump.afterwards
        if contract.callback is not None:
            for sent in callback_operations(
                contract.callback, cast("Hashable", binding.encoding), service.outbox
            ).values():
                check_faults(sent.description)
        self._sessions: set[Session] = set()
        self._closing: CloseStatus | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def sessions(self) -> list[Session]:
        """Those that have not ended."""
        return list(self._sessions)

    @property
    def channels(self) -> list[DuplexSessionChannel]:
        """The open sessions' channels."""
        return [session.channel for session in self._sessions]

    async def serve(
        self, connection: Connection, begun: Callable[[DuplexSessionChannel], None] | None = None
    ) -> None:
        """Be one session, from its first message to its close frame.

        Args:
            begun: Called with its channel, once that is open.
        """
        # what is kept for each session is small, or there once for all of them
        session = Session(self._service, cast("asyncio.Task[Any]", asyncio.current_task()), self._screening)
        session.step = functools.partial(self._stepping, session)
        channel = DuplexSessionChannel(
            connection,
            self._binding,
            self._wire,
            self._service.meter,
            outbox=self._service.outbox,
            callbacks=self._service.callbacks,
            schedule=self._service.schedule,
            streams=self._service.streams,
            strict_callbacks=self._service.strict_callbacks,
            screen=session.screen,
            ready=session.ready,
            afterwards=self._afterwards,
        )
        self._sessions.add(session)
        self._empty.clear()
        session.closing = self._closing  # who came too late is told so at once
        session.begin(channel)
        if begun is not None:
            begun(channel)
        try:
            if await session.welcome():
                self._pump.put(session.step)
                await session.part(await session.ended(ABORT_TIMEOUT))
        finally:
            session.is_cut = session.is_cut or channel.state is CommunicationState.FAULTED
            channel.abort()
            await self._leave(session)

    def refuse(self, end: CloseStatus) -> None:
        """The host ends: who comes from now on hears only that. The sessions that are there go on."""
        self._closing = end

    async def emptied(self) -> None:
        """Wait until no session is left."""
        await self._empty.wait()

    async def abort(self) -> None:
        """End every session now, running operations with it. Waits a moment for them to notice."""
        self._closing = self._closing or CloseStatus(CloseCode.GOING_AWAY, "aborted")  # nothing new begins
        sessions = list(self._sessions)
        for session in sessions:
            session.closing, session.is_cut = session.closing or self._closing, True
            session.channel.abort()
        await asyncio.sleep(0)  # a task that is cancelled before it has begun cannot give its places back
        for session in sessions:
            for task in tuple(session.tasks):
                task.cancel()
            if session.worker is not None:
                session.worker.cancel()
            if session.is_leaving:
                session.task.cancel()
        try:
            async with asyncio.timeout(ABORT_TIMEOUT):
                await self._empty.wait()
        except TimeoutError:
            for session in self._sessions:
                session.channel.streams.cancel()

    async def _leave(self, session: Session) -> None:
        try:
            await session.end()
        finally:
            self._sessions.discard(session)
            if not self._sessions:
                self._empty.set()
                self._pump.rest()
            session.step = _nothing
            session.channel.forget()


async def _nothing(_worker: "asyncio.Task[None]") -> None:
    """The step of a session that is over: the one it had knows it."""
