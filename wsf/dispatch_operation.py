"""One call, from its message to its answer, or to the fault that its error means.

Inspectors, the lock, the object, the arguments, the wrappers, the operation; then back: the answer, the lock,
the end of the object if it was the call's own, and who handles errors hears of it.
WCF: DispatchOperation, ImmutableDispatchRuntime.
"""

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from wsf.channel import DuplexSessionChannel
from wsf.communication_object import CloseStatus, CommunicationState
from wsf.concurrency import CURRENT_CALL
from wsf.description import ContractDescription, OperationDescription
from wsf.encodings import MessageEncoding
from wsf.error_behavior import OWN_ERRORS, as_exception
from wsf.errors import CommunicationError, SerializationError
from wsf.extensions import OperationWrapper, Proceed
from wsf.faults import check_faults
from wsf.formatters import formatter_for, streamed
from wsf.inspection import checked
from wsf.instancing import InstanceContext
from wsf.message import Message, MessageFault
from wsf.operation_context import OperationContext
from wsf.service_runtime import ServiceRuntime
from wsf.streaming import Stream, StreamedOperation

__all__ = ("DispatchOperation",)

logger = logging.getLogger("wsf.sessions")


class DispatchOperation:
    """One operation of an endpoint, ready to be called.

    Attributes:
        occupies_session: Whether the session's next message waits until a call has ended.
        answers: Whether a call gets an answer of the operation's own.
    """

    def __init__(
        self,
        contract: ContractDescription,
        operation: OperationDescription,
        encoding: MessageEncoding,
        service: ServiceRuntime,
    ) -> None:
        self.description = operation
        self.occupies_session = service.pump_waits or operation.is_terminating
        self.answers = not operation.is_one_way
        self._method = operation.method
        self._is_terminating = operation.is_terminating
        self._is_streaming = operation.is_streaming
        self._service = service
        self._calls = service.calls
        self._instancing = service.instancing
        self._ends_object = service.instancing.ends_with_call
        self._inspectors = service.extensions.message_inspectors
        self._wrappers = service.extensions.operation_wrappers
        self._formatter = formatter_for(contract, operation, encoding.body_style, encoding.json_quotas)
        self._carries_replies = encoding.carries_replies
        self._errors = service.errors
        check_faults(operation)

    async def call(self, context: OperationContext, place: InstanceContext) -> CloseStatus | None:
        """Serve a message; how the session ends for it, if it does. The call's place to run is given back."""
        message_id = context.incoming_message.message_id  # an inspector may put another message in its place
        call = context.turn.call
        token = CURRENT_CALL.set(context)
        errors: list[Exception] = []
        end: CloseStatus | None = None
        try:
            try:
                if call is None:
                    reply = await self._served(context, place, None)
                else:
                    with call:  # raises CallCancelledError
                        reply = await self._served(context, place, message_id)
                if reply is not None:
                    self._answer(context, reply)
            except asyncio.CancelledError as cancelled:
                if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                    raise  # the host aborts
                errors.append(as_exception(cancelled))
            except OWN_ERRORS as raised:  # whatever an operation raises is judged here; it is no program
                errors.append(as_exception(raised))
            if errors:
                end = self._fail(context, message_id, errors)
        finally:
            context.turn.end()
            try:
                if self._ends_object and context.stream is None:
                    await self._release(place)
            finally:
                CURRENT_CALL.reset(token)
                context.complete()
                context.channel.running_operations -= 1
                self._calls.leave()
        for error in errors:
            self._errors.handle(error)
        if end is None and self._is_terminating:
            return context.channel.close_details.output_close_status
        return end

    @property
    def _title(self) -> str:
        return f"{self._service.name}.{self.description.method}"

    async def _served(
        self, context: OperationContext, place: InstanceContext, message_id: str | bytes | None
    ) -> Message | None:
        """Let the object serve a message; the reply, if there is one. Without an id nobody waits for it."""
        message = context.incoming_message
        for inspector in self._inspectors:
            message = context.incoming_message = checked(inspector, inspector.received(message, context))
        if not context.turn.try_begin(place.lock):
            await context.turn.begin(place.lock)
        instance = place.instance
        if not place.is_active:
            instance = await self._instancing.activate(place, message)
        arguments = self._formatter.deserialize_request(message)
        method: Callable[..., Awaitable[Any]] = getattr(instance, self._method)
        if self._is_streaming:
            context.channel.streams.demand_room()
            method = functools.partial(_iterator_of, method)
        if self._wrappers:
            result = await self._wrapped(context, method)(arguments)
        else:
            result = await method(*arguments)
        if self._is_streaming:
            stream = context.stream = await self._open_stream(context.channel, place, result)
            if message_id is None:
                stream.end()  # nobody is told of it
            return streamed.opened(stream.token).with_ids(relates_to=message_id)
        if not self.answers or (result is None and not self._carries_replies):
            return None
        return self._formatter.serialize_reply(result, message_id)

    async def _open_stream(
        self, channel: DuplexSessionChannel, place: InstanceContext, iterator: Any
    ) -> Stream:
        """Whatever a stream does, it does as a task that its operation has left running."""
        release = functools.partial(self._release, place) if self._ends_object else None
        judge = functools.partial(self._judge_stream, channel)
        return await channel.streams.open(iterator, StreamedOperation(self._write_value, judge, release))

    def _write_value(self, value: Any) -> bytes:
        return self._formatter.serialize_reply(value).body or b"null"

    def _judge_stream(
        self, channel: DuplexSessionChannel, raised: BaseException
    ) -> tuple[MessageFault, CloseStatus | None]:
        """What an error of a generator means: the same as its operation's."""
        error = as_exception(raised)
        verdict = self._errors.judge(error, self.description, channel)
        self._errors.handle(error)
        return verdict.fault, None if isinstance(error, SerializationError) else verdict.end

    def _wrapped(self, context: OperationContext, method: Callable[..., Awaitable[Any]]) -> Proceed:
        def proceed(arguments: tuple[Any, ...]) -> Awaitable[Any]:
            return method(*arguments)

        for wrapper in reversed(self._wrappers):
            proceed = functools.partial(_invoke, wrapper, context, proceed)
        return proceed

    def _answer(self, context: OperationContext, reply: Message) -> None:
        """Send the reply to who waits for it; over a wire without ids, whatever was returned."""
        if self._carries_replies and reply.relates_to is None:
            return
        if context.turn.outgoing:
            reply = reply.replace(properties={**reply.properties, **context.turn.outgoing})
        try:
            context.channel.send(reply)
        except CommunicationError as error:
            if context.channel.state is CommunicationState.OPENED:
                raise  # an inspector's
            logger.debug("%s: nobody is there for the reply: %s", self._title, error)

    def _fail(
        self, context: OperationContext, message_id: str | bytes | None, errors: list[Exception]
    ) -> CloseStatus | None:
        """Answer with the fault that an error means, if somebody waits; how the session ends for it."""
        if context.stream is not None:
            context.stream.end()  # nobody has been told of it
        verdict = self._errors.judge(errors[0], self.description, context.channel)
        if message_id is None or self.description.is_one_way:
            return verdict.end
        try:
            self._answer(context, Message(fault=verdict.fault, relates_to=message_id))
        except OWN_ERRORS as refused:  # an inspector lets not even the fault pass: the close frame answers
            errors.append(as_exception(refused))
            return self._errors.blame_service(errors[-1], self.description.method).end
        return None if isinstance(errors[0], SerializationError) else verdict.end  # it may do better

    async def _release(self, place: InstanceContext) -> None:
        try:
            await self._instancing.end_of_call(place)
        except Exception:  # a service's own aclose(): its call has been answered
            logger.exception("releasing the service object of %s failed", self._title)


async def _iterator_of(method: Callable[..., Any], *arguments: Any) -> Any:
    """What an operation that streams returns: some are awaited for it."""
    result = method(*arguments)
    return await result if inspect.isawaitable(result) else result


async def _invoke(
    wrapper: OperationWrapper, context: OperationContext, proceed: Proceed, arguments: tuple[Any, ...]
) -> Any:
    return await wrapper.invoke(context, arguments, proceed)
