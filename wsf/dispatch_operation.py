"""One call, from its message to its answer; the one place where an error becomes a fault or a close code.

Inspectors, the lock, the object, the arguments, the wrappers, the operation; then back: the answer, the lock,
the end of the object if it was the call's own, and who handles errors hears of it.
WCF: DispatchOperation, ImmutableDispatchRuntime, ErrorBehavior.
"""

import asyncio
import functools
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import attrs
from attrs import frozen

from wsf import data_contracts
from wsf.behaviors import CallbackSettings, OutboxSettings
from wsf.communication_object import CloseStatus
from wsf.counters import Meter
from wsf.description import ContractDescription, OperationDescription
from wsf.encodings import MessageEncoding
from wsf.errors import (
    CloseCode,
    CommunicationError,
    FaultCode,
    FaultException,
    ProtocolError,
    QuotaExceededError,
    SerializationError,
)
from wsf.extensions import DispatchRuntime
from wsf.faults import exception_detail, fault_of
from wsf.formatters import formatter_for
from wsf.instancing import InstanceContext, Instancing
from wsf.message import Message, MessageFault
from wsf.operation_context import OperationContext
from wsf.throttling import Gate

__all__ = ("DispatchOperation", "ServiceRuntime", "Verdict", "blame_peer", "handled")

logger = logging.getLogger("wsf.sessions")

#: characters of the reference that a client is given with an internal error, and that the log has, too
REFERENCE_LENGTH: Final = 8


@frozen
class ServiceRuntime:
    """What all endpoints of a service share."""

    name: str
    instancing: Instancing
    pump_waits: bool
    calls: Gate
    outbox: OutboxSettings
    meter: Meter
    callbacks: CallbackSettings = CallbackSettings()
    extensions: DispatchRuntime = attrs.field(factory=DispatchRuntime)
    include_exception_detail: bool = False
    strict_callbacks: bool = False
    host: Any = None


@frozen
class Verdict:
    """What an error means: the answer to who waits for one, and the session's end, if that is it."""

    fault: MessageFault
    end: CloseStatus | None = None


def blame_peer(meter: Meter, error: ProtocolError) -> CloseStatus:
    """The peer's fault: it is told which rule it broke, in our words."""
    meter.protocol_errors += 1
    if isinstance(error, QuotaExceededError):
        meter.messages_too_big += 1
    return CloseStatus(error.close_code, str(error))


def handled(extensions: DispatchRuntime, error: BaseException) -> bool:
    """Let every error handler hear of an error; whether one of them says that it is dealt with."""
    is_handled = False
    for handler in extensions.error_handlers:
        try:
            is_handled = handler.handle_error(cast("Exception", error)) or is_handled
        except Exception:  # a handler's own mistake is no further error of the session
            logger.exception("an error handler failed: %r", handler)
    return is_handled


class DispatchOperation:
    """One operation of an endpoint, ready to be called."""

    def __init__(
        self,
        contract: ContractDescription,
        operation: OperationDescription,
        encoding: MessageEncoding,
        service: ServiceRuntime,
    ) -> None:
        self.description = operation
        self._service = service
        self._formatter = formatter_for(contract, operation, encoding.body_style, encoding.json_quotas)
        self._carries_replies = encoding.carries_replies
        for fault in operation.faults:
            data_contracts.check(fault.detail_type)

    async def call(self, context: OperationContext, place: InstanceContext) -> CloseStatus | None:
        """Serve a message; how the session ends for it, if it does."""
        context.instance_context = place
        tokens = context.enter()
        error: BaseException | None = None
        end: CloseStatus | None = None
        try:
            try:
                self._answer(context, await self._perform(context, place))
            except asyncio.CancelledError as cancelled:
                if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                    raise  # the host aborts; any other is the service's own
                error, end = cancelled, self._fail(context, RuntimeError("an await was cancelled"))
            except Exception as raised:  # whatever an operation raises is judged here
                error, end = raised, self._fail(context, raised)
            except (SystemExit, BaseExceptionGroup) as raised:  # an operation is no program: it ends alone
                error = RuntimeError(f"an operation raised {type(raised).__name__}")
                error.__cause__ = raised
                end = self._fail(context, error)
        finally:
            context.turn.end()
            if self._service.instancing.ends_with_call:
                await self._release(place)
            context.leave(tokens)
            context.complete()
        if error is not None:
            handled(self._service.extensions, error)
        return end

    @property
    def _title(self) -> str:
        return f"{self._service.name}.{self.description.method}"

    async def _perform(self, context: OperationContext, place: InstanceContext) -> Message | None:
        message = context.incoming_message
        for inspector in self._service.extensions.message_inspectors:
            message = context.incoming_message = inspector.received(message, context)
        if not context.turn.try_begin(place.lock):
            await context.turn.begin(place.lock)
        instance = place.instance
        if not place.is_active:
            instance = await self._service.instancing.activate(place, message)
        arguments = self._formatter.deserialize_request(message)
        method: Callable[..., Awaitable[Any]] = getattr(instance, self.description.method)
        if self._service.extensions.operation_wrappers:
            result = await self._wrapped(context, method)(arguments)
        else:
            result = await method(*arguments)
        if self.description.is_one_way or (result is None and not self._carries_replies):
            return None
        return self._formatter.serialize_reply(result)

    def _wrapped(
        self, context: OperationContext, method: Callable[..., Awaitable[Any]]
    ) -> Callable[[tuple[Any, ...]], Awaitable[Any]]:
        def proceed(arguments: tuple[Any, ...]) -> Awaitable[Any]:
            return method(*arguments)

        for wrapper in reversed(self._service.extensions.operation_wrappers):
            proceed = functools.partial(_invoke, wrapper, context, proceed)
        return proceed

    def _answer(self, context: OperationContext, reply: Message | None) -> None:
        """Send the reply to who waits for it; over a wire without ids, whatever was returned."""
        message_id = context.incoming_message.message_id
        if reply is None or self.description.is_one_way or (self._carries_replies and message_id is None):
            return
        if message_id is not None:
            reply = attrs.evolve(reply, relates_to=message_id)
        if context.turn.outgoing:
            reply = attrs.evolve(reply, properties={**reply.properties, **context.turn.outgoing})
        try:
            context.channel.send(reply)
        except CommunicationError as error:
            logger.debug("%s: nobody is there for the reply: %s", self._title, error)

    def _fail(self, context: OperationContext, error: Exception) -> CloseStatus | None:
        """Answer with the fault that an error means, if somebody waits; how the session ends for it."""
        verdict = self._verdict(error)
        if context.incoming_message.message_id is None or self.description.is_one_way:
            return verdict.end
        try:
            self._answer(context, Message(fault=verdict.fault))
        except Exception:  # an inspector refuses our own fault
            logger.exception("%s: its fault could not be sent", self._title)
        return None if isinstance(error, SerializationError) else verdict.end  # that caller may do better

    async def _release(self, place: InstanceContext) -> None:
        try:
            await self._service.instancing.end_of_call(place)
        except Exception:  # a service's own aclose(): its call has been answered
            logger.exception("releasing the service object of %s failed", self._title)

    def _verdict(self, error: Exception) -> Verdict:
        """The table of errors. WCF: ErrorBehavior.ProvideFault."""
        fault = self._provided(error)
        if fault is not None:
            try:
                return Verdict(fault_of(fault, self.description))
            except Exception as unwritable:  # the service's own mistake in its fault
                error = unwritable
        if isinstance(error, ProtocolError):
            code = FaultCode.DESERIALIZATION_FAILED
            return Verdict(MessageFault(code, str(error)), blame_peer(self._service.meter, error))
        if isinstance(error, CommunicationError):  # another client's end is not this one's problem
            logger.warning("a call to a client failed in %s: %s", self._title, error)
            return Verdict(
                MessageFault(FaultCode.INTERNAL_SERVICE_FAULT, "another client could not be reached")
            )
        return self._blame_service(error)

    def _provided(self, error: Exception) -> FaultException[Any] | None:
        fault = error if isinstance(error, FaultException) else None
        for handler in self._service.extensions.error_handlers:
            try:
                fault = handler.provide_fault(error, fault)
            except Exception:  # a handler's own mistake: the error takes its course
                logger.exception("an error handler failed: %r", handler)
        return fault

    def _blame_service(self, error: Exception) -> Verdict:
        """The service's own fault: the peer gets a number that the log has, too, and nothing else."""
        self._service.meter.operations_failed += 1
        reference = uuid.uuid4().hex[:REFERENCE_LENGTH]
        logger.error("%s failed, reference %s", self._title, reference, exc_info=error)
        reason = f"internal error, reference {reference}"
        fault = MessageFault(FaultCode.INTERNAL_SERVICE_FAULT, reason)
        if self._service.include_exception_detail:
            detail = data_contracts.write_value(exception_detail(error))
            fault = MessageFault(FaultCode.INTERNAL_SERVICE_FAULT, str(error) or reason, detail)
        return Verdict(fault, CloseStatus(CloseCode.INTERNAL_ERROR, reason))


async def _invoke(wrapper: Any, context: OperationContext, proceed: Any, arguments: tuple[Any, ...]) -> Any:
    return await wrapper.invoke(context, arguments, proceed)
