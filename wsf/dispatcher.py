"""The dispatcher: the loop of one session, and the one place where an error becomes a close code.

In, a message passes three gates: the call throttle, the session's pump and the service object's lock. Out of
an operation comes an error or nothing: ``_farewell`` says what an error means for the session.
WCF: ChannelHandler, ImmutableDispatchRuntime, ErrorBehavior.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, cast

from attrs import frozen

from wsf.behaviors import OutboxSettings
from wsf.bindings import Binding
from wsf.channel import CloseStatus, DuplexSessionChannel
from wsf.counters import Meter
from wsf.description import ContractDescription, OperationDescription
from wsf.errors import (
    ActionNotSupportedError,
    CloseCode,
    CommunicationError,
    ConnectionClosedError,
    ProtocolError,
    QuotaExceededError,
)
from wsf.instancing import InstanceContext, InstanceProvider
from wsf.message import WILDCARD_ACTION, Message
from wsf.operation_context import OperationContext
from wsf.throttling import Gate
from wsf.transports import Connection

__all__ = ("Dispatcher", "ServiceRuntime")

logger = logging.getLogger("wsf.sessions")

#: characters of the reference that a client is given with 1011, and that the log has beside the traceback
REFERENCE_LENGTH: Final = 8


#: s that cancelled operations have to end, before the host goes on without them
ABORT_TIMEOUT: Final = 1.0


@frozen
class ServiceRuntime:
    """What all endpoints of a service share."""

    name: str
    instancing: InstanceProvider
    pump_waits: bool
    calls: Gate
    outbox: OutboxSettings
    meter: Meter


class _Session:
    """What the dispatcher keeps of one session."""

    __slots__ = ("channel", "has_begun", "instance", "loop", "tasks")

    def __init__(self, channel: DuplexSessionChannel, loop: "asyncio.Task[None]") -> None:
        self.channel = channel
        self.instance: InstanceContext | None = None
        self.has_begun = False
        self.loop = loop
        self.tasks: set[asyncio.Task[None]] = set()


def _named(session: _Session) -> str:
    """A session as log lines name it: the number that ends its id, and its client."""
    _, _, number = session.channel.session_id.partition(";")
    return f"{number} {session.channel.peer}"


class Dispatcher:
    """Serves the sessions of one endpoint.

    Args:
        wire: Stands for encoding and framing, one object for each binding.
    """

    def __init__(
        self, contract: ContractDescription, binding: Binding, wire: Hashable, service: ServiceRuntime
    ) -> None:
        self._contract = contract
        self._binding = binding
        self._wire = wire
        self._service = service
        self._operations = {operation.action: operation for operation in contract.operations}
        self._wildcard = self._operations.get(WILDCARD_ACTION)
        self._sessions: set[_Session] = set()
        self._closing: CloseStatus | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def channels(self) -> list[DuplexSessionChannel]:
        """The open sessions' channels."""
        return [session.channel for session in self._sessions]

    async def serve(self, connection: Connection) -> None:
        """Be one session, from its first message to its close frame."""
        channel = DuplexSessionChannel(
            connection,
            self._binding,
            self._wire,
            self._service.meter,
            max_bytes=self._service.outbox.max_bytes,
            max_messages=self._service.outbox.max_messages,
        )
        session = _Session(channel, cast("asyncio.Task[None]", asyncio.current_task()))
        began = time.monotonic()
        self._enter(session)
        try:
            await self._part(session, await self._converse(session))
        finally:
            channel.abort()
            await self._leave(session, time.monotonic() - began)

    async def close(self, code: int, reason: str) -> None:
        """Let running operations end, send every client a close frame, and wait until all have gone.

        The caller bounds the time; then ``abort``.
        """
        self._closing = CloseStatus(code, reason)
        idle = [session for session in self._sessions if not session.channel.running_operations]
        await asyncio.gather(*(self._part(session, self._closing) for session in idle))
        await self._empty.wait()

    async def abort(self) -> None:
        """End every session now, running operations with it. Waits a moment for them to notice."""
        for session in list(self._sessions):
            session.channel.abort()
            for task in session.tasks or ([session.loop] if session.channel.running_operations else []):
                task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABORT_TIMEOUT):
                await self._empty.wait()

    def _enter(self, session: _Session) -> None:
        channel = session.channel
        self._sessions.add(session)
        self._empty.clear()
        self._service.meter.sessions_opened += 1
        channel.open()
        logger.info("session opened: %s %s", _named(session), self._service.name)

    async def _leave(self, session: _Session, lasted: float) -> None:
        channel = session.channel
        status = channel.close_status or CloseStatus(CloseCode.ABNORMAL)
        try:
            if session.tasks:  # a disconnect never cancels a running operation
                await asyncio.wait(session.tasks)
            await self._service.instancing.end_of_session(session.instance)
        except Exception:  # a service's own aclose(): its session ends all the same
            logger.exception("releasing the service object of %s failed", channel.session_id)
        finally:
            self._sessions.discard(session)
            meter = self._service.meter
            meter.sessions_closed += 1
            meter.outbox_messages_most = max(meter.outbox_messages_most, channel.outbox.messages_most)
            meter.outbox_bytes_most = max(meter.outbox_bytes_most, channel.outbox.size_most)
            if not self._sessions:
                self._empty.set()
            logger.info(
                "session closed: %s by the %s, code %d %s after %.1f s",
                _named(session),
                status.by,
                status.code,
                ascii(status.reason),
                lasted,
            )

    async def _converse(self, session: _Session) -> CloseStatus | ConnectionClosedError:
        """Receive and dispatch until somebody has had enough; how it ended."""
        try:
            while self._closing is None:
                message = await session.channel.receive()
                if self._closing is None:
                    end = await self._dispatch(session, message)
                    if end is not None:
                        return end
        except ConnectionClosedError as end:
            return end
        except ProtocolError as error:
            return self._blame_peer(error)
        if session.tasks:
            await asyncio.wait(session.tasks)
        return self._closing

    async def _part(self, session: _Session, end: CloseStatus | ConnectionClosedError) -> None:
        if isinstance(end, ConnectionClosedError):
            session.channel.ended(end)
            return
        try:
            await session.channel.close(end.code, end.reason)
        except (TimeoutError, CommunicationError) as error:
            logger.debug("closing %s: %s", _named(session), error)

    async def _dispatch(self, session: _Session, message: Message) -> CloseStatus | None:
        """Find the operation and let it run; what the session's end is, if that is it."""
        operation = self._operations.get(message.action or WILDCARD_ACTION) or self._wildcard
        if operation is None:
            return self._blame_peer(ActionNotSupportedError("no operation takes this message"))
        if not (session.has_begun or operation.is_initiating):
            return self._blame_peer(ProtocolError(f"{operation.name} cannot be the first call of a session"))
        session.has_begun = True
        # from here on the message is accepted: closing waits until it has been served
        session.channel.running_operations += 1
        calls = self._service.calls
        if not calls.try_enter():
            await self._wait_for(calls, session)
        if self._service.pump_waits:
            return await self._run(session, operation, message)
        task = asyncio.create_task(self._run_apart(session, operation, message))
        session.tasks.add(task)
        task.add_done_callback(session.tasks.discard)
        return None

    async def _wait_for(self, calls: Gate, session: _Session) -> None:
        try:
            await calls.enter()
        except BaseException:
            session.channel.running_operations -= 1
            raise

    async def _run_apart(self, session: _Session, operation: OperationDescription, message: Message) -> None:
        end = await self._run(session, operation, message)
        if end is not None:
            await self._part(session, end)

    async def _run(
        self, session: _Session, operation: OperationDescription, message: Message
    ) -> CloseStatus | None:
        try:
            await self._call(session, operation, message)
        except ProtocolError as error:
            return self._blame_peer(error)
        except CommunicationError as error:  # another client's end is not this one's problem
            logger.warning(
                "a call to another client failed: %s in %s: %s", operation.name, _named(session), error
            )
        except asyncio.CancelledError:
            if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                raise  # the host aborts; any other is the service's own
            return self._blame_service(operation)
        except Exception:  # whatever else an operation raises is the service's own: 1011
            return self._blame_service(operation)
        finally:
            session.channel.running_operations -= 1
            self._service.calls.leave()
        return CloseStatus(CloseCode.NORMAL) if operation.is_terminating else None

    async def _call(self, session: _Session, operation: OperationDescription, message: Message) -> None:
        instancing = self._service.instancing
        context = session.instance = instancing.for_call(session.instance)
        if not context.gate.try_enter():
            await context.gate.enter()
        token = OperationContext(session.channel, message, self._contract).enter()
        try:
            method: Callable[..., Awaitable[object]] = getattr(context.instance, operation.method)
            result = await (method(message) if operation.parameters else method())
        finally:
            OperationContext.leave(token)
            context.gate.leave()
            await instancing.end_of_call(context)
        if isinstance(result, Message):
            session.channel.send(result)

    def _blame_peer(self, error: ProtocolError) -> CloseStatus:
        """The peer's fault: it is told which rule it broke, in our words."""
        self._service.meter.protocol_errors += 1
        if isinstance(error, QuotaExceededError):
            self._service.meter.messages_too_big += 1
        return CloseStatus(error.close_code, str(error))

    def _blame_service(self, operation: OperationDescription) -> CloseStatus:
        """The service's own fault: the peer gets a number that the log has, too, and nothing else."""
        self._service.meter.operations_failed += 1
        reference = uuid.uuid4().hex[:REFERENCE_LENGTH]
        logger.exception("%s.%s failed, reference %s", self._service.name, operation.method, reference)
        return CloseStatus(CloseCode.INTERNAL_ERROR, f"internal error, reference {reference}")
