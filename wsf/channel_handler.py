"""The channel handler: what becomes of one session's messages.

In, a message passes three gates: the call throttle, the session's pump and the service object's lock. What
could never pass one, because it holds up the very call it waits for, is refused at once.
WCF: ChannelHandler.
"""

import asyncio
import contextlib
import logging
from typing import Any, Final

from msgspec.structs import replace

from wsf import deadlock
from wsf.bindings import Binding
from wsf.cancellation import CallCancelledError, ServedCall
from wsf.communication_object import CloseStatus
from wsf.concurrency import Turn
from wsf.correlation import PendingCall
from wsf.counters import RareWarning
from wsf.description import ContractDescription
from wsf.dispatch_operation import DispatchOperation
from wsf.errors import (
    ActionNotSupportedError,
    CloseCode,
    ConnectionClosedError,
    ContractError,
    FaultCode,
    ProtocolError,
)
from wsf.faults import fault_of
from wsf.inbox import Arrival
from wsf.instancing import InstanceContext
from wsf.message import (
    ON_BINARY_MESSAGE_ACTION,
    ON_OPEN_ACTION,
    ON_TEXT_MESSAGE_ACTION,
    TEXT,
    WILDCARD_ACTION,
    Message,
    MessageFault,
)
from wsf.open_streams import STREAM_ACTIONS
from wsf.operation_context import OperationContext
from wsf.pump import TURN
from wsf.service_runtime import ServiceRuntime
from wsf.session import Session

__all__ = ("ChannelHandler",)

logger = logging.getLogger("wsf.sessions")

_DONE: Final = Message(b"null", TEXT)

_TOO_LATE: Final = Message(
    fault=MessageFault(FaultCode.ENDPOINT_UNAVAILABLE, "the host closes: this call was not served")
)

_NOT_CANCELLABLE: Final = contextlib.nullcontext()


class ChannelHandler:
    """Serves the messages of an endpoint's sessions, each session's in order.

    Raises:
        ContractError: A parameter, a result or a fault's detail has no form on that wire.
    """

    def __init__(self, contract: ContractDescription, binding: Binding, service: ServiceRuntime) -> None:
        self._contract = contract
        self._binding = binding
        self._service = service
        self._instancing = service.instancing
        self._calls = service.calls
        self._host = service.host
        self._pump = service.pump
        self._errors = service.errors
        self._warnings = RareWarning(logger)
        self._operations: dict[str, DispatchOperation] = {}
        for operation in contract.operations:
            dispatched = DispatchOperation(contract, operation, binding.encoding, service)
            for action in binding.encoding.actions_of(contract, operation):
                self._operations[action] = dispatched
        self._wildcard = self._operations.get(WILDCARD_ACTION)
        self._on_open = self._operations.pop(ON_OPEN_ACTION, self._wildcard)
        if self._wildcard is not None:  # what these encodings say of every message is found at once
            for action in (ON_TEXT_MESSAGE_ACTION, ON_BINARY_MESSAGE_ACTION):
                self._operations.setdefault(action, self._wildcard)

    async def step(self, session: Session, worker: "asyncio.Task[Any]") -> None:
        """Serve what has come, as much as may be in a row, and note how the session ends. For the pump."""
        if session.over.done():
            return
        inbox, outbox = session.channel.inbox, session.channel.outbox
        end: CloseStatus | ConnectionClosedError | None = None
        session.worker = worker
        try:
            for _ in TURN:
                # while the host closes, operations that run still get their client's answers
                if session.closing is not None and not (len(inbox) or session.channel.running_operations):
                    await session.tasks_end()
                    end = session.closing
                    break
                arrival = inbox.take()
                if arrival is None:
                    break
                end = await self._dispatch(session, arrival)
                if end is not None:
                    break
                if outbox.is_filling:  # who does not take its answers is not asked for more
                    inbox.read_on()
                    await outbox.relieve()
            else:
                self._pump.put(session.step)
        except ConnectionClosedError as closed:
            end = closed.with_traceback(None)  # it is kept, and would keep all that it came by
        except ProtocolError as error:
            self._errors.handle(error)
            end = self._errors.blame_peer(error)
        except asyncio.CancelledError:  # the host aborts
            end = ConnectionClosedError(CloseCode.ABNORMAL, clean=False)
            raise
        except Exception as error:  # who accepted the connection is told
            session.note_end(error)
        finally:
            session.worker = None
            session.note_end(end)

    async def _dispatch(self, session: Session, arrival: Arrival) -> CloseStatus | None:
        """Find the operation and let it run; what the session's end is, if that is it."""
        message = arrival.message
        if session.closing is not None and not arrival.is_answered:
            if message.message_id is not None:
                session.answer(message, _TOO_LATE)
            return None
        operation = self._operations.get(message.action or WILDCARD_ACTION) or self._operation_for(message)
        if message.action in STREAM_ACTIONS or (
            message.message_id is not None
            and (operation is None or not operation.answers or message.fault is not None or arrival.awaited)
        ):
            screened = self.screen(session, arrival)
            if screened is None:
                return None
            message = screened.message
        if operation is None:
            return self._unhandled(session, message)
        description = operation.description
        if not (session.has_begun or description.is_initiating):
            error = ProtocolError(f"{description.name} cannot be the first call of a session")
            self._errors.handle(error)
            return self._errors.blame_peer(error)
        session.has_begun = True
        # from here on the message is accepted: closing waits until it has been served
        channel = session.channel
        channel.running_operations += 1
        call = None
        if message.message_id is not None:
            server = session.worker if operation.occupies_session else None
            call = ServedCall(channel.served, message.message_id, server)
        turn = Turn(description.name, channel, call)
        place = session.instance = self._instancing.for_call(session.instance)
        if not (place.has_place and self._calls.try_enter()):
            try:
                await self._admit(session, turn, place, () if call is None else arrival.awaited)
            except CallCancelledError as cancelled:
                session.answer(
                    message, Message(fault=self._errors.judge(cancelled, description, channel).fault)
                )
                return None
        context = OperationContext(channel, message, description, turn, place, self._host, self._contract)
        if not operation.occupies_session:
            session.run_apart(self._run_apart(session, operation, context, place))
            return None
        channel.inbox.occupy(turn)
        try:
            end = await operation.call(context, place)
            if end is not None:  # a terminating call: those before it still get answers
                await session.tasks_end()
            return end
        finally:
            channel.inbox.occupied_by = None

    async def _admit(
        self, session: Session, turn: Turn, place: InstanceContext, awaited: tuple[PendingCall, ...]
    ) -> None:
        """Wait for what a call needs: the object's place first, so that waiting for one holds no call up."""
        instancing, calls = self._instancing, self._calls
        is_reserved = instancing.try_reserve(place)
        if is_reserved and calls.try_enter():
            return
        session.channel.inbox.occupy(turn)  # the session waits here: answers are read meanwhile
        turn.queues_for = min(calls.limit, instancing.calls_limit)
        held_up = self._service.held_up
        held_up.extend(awaited)
        try:
            with turn.call or _NOT_CANCELLABLE:
                if not is_reserved:
                    await instancing.reserve(place)
                await calls.enter()
        except BaseException:
            if turn.call is not None:
                turn.call.end()
            session.channel.running_operations -= 1
            await instancing.end_of_call(place)
            raise
        finally:
            turn.queues_for = None
            for call in awaited:
                held_up.remove(call)
            session.channel.inbox.occupied_by = None

    async def _run_apart(
        self,
        session: Session,
        operation: DispatchOperation,
        context: OperationContext,
        place: InstanceContext,
    ) -> None:
        end = await operation.call(context, place)
        is_last = not (session.channel.running_operations or len(session.channel.inbox))
        if end is None and is_last:
            end = session.closing  # the loop waits for a message, and none need come
        if end is not None:
            await session.part(end)

    def _operation_for(self, message: Message) -> DispatchOperation | None:
        """Exact action, then ``"*"``. The session-open action is ours to give, and nobody else's."""
        if message.action == ON_OPEN_ACTION:
            return self._on_open if message.body is None else None
        return self._operations.get(message.action or WILDCARD_ACTION) or self._wildcard

    def _unhandled(self, session: Session, message: Message) -> CloseStatus | None:
        """No operation takes it: who waits for an answer gets a fault; who does not loses the session.

        Unless an error handler provides a fault, or says that it is dealt with. WCF's built-in unhandled
        handler closes in both cases.
        """
        if message.message_id is None and self._binding.encoding.may_ignore(message):
            return None
        error = ActionNotSupportedError("no operation takes this message")
        provided = self._errors.provided(error, session.channel)
        if message.message_id is not None:
            fault = _fault(FaultCode.ACTION_NOT_SUPPORTED, str(error))
            if provided is not None:
                with contextlib.suppress(ValueError, ContractError):  # its detail has no JSON form
                    fault = Message(fault=fault_of(provided, None))
            session.answer(message, fault)
        is_handled = self._errors.handle(error) or provided is not None
        return None if is_handled or message.message_id is not None else self._errors.blame_peer(error)

    def screen(self, session: Session, arrival: Arrival) -> Arrival | None:
        """Answer at once what needs no operation for its answer; what is left to be served, if anything is.

        That is: what is said about a stream; what is no request; a one-way call whose sender wants to know
        that it was taken; and a call that could never end.
        """
        message = arrival.message
        if message.action in STREAM_ACTIONS and message.fault is None:
            session.channel.streams.take(message, session)
            return None
        if message.message_id is None:
            return arrival
        if message.fault is not None:
            self._service.meter.count_refusal(message.fault.code)
            session.answer(message, Message(fault=message.fault))
            return None
        operation = self._operation_for(message)
        if operation is not None and not operation.answers:
            session.answer(message, _DONE)
            return replace(arrival, message=message.replace(message_id=None), is_answered=True)
        blocking = self._blocking(session, arrival) if operation is not None and arrival.awaited else None
        if operation is None or blocking is None:
            return arrival
        self._service.meter.calls_refused += 1
        reason = deadlock.reason(operation.description.name, blocking)
        self._warnings.warn("call refused: %s: %s", session.name, reason)
        session.answer(message, _fault(FaultCode.WOULD_DEADLOCK, reason))
        return None

    def _blocking(self, session: Session, arrival: Arrival) -> PendingCall | None:
        instancing = self._instancing
        return deadlock.blocking_call(
            arrival,
            session.channel.inbox,
            instancing.lock_of(session.instance),
            self._service.held_up,
            min(self._calls.limit, instancing.calls_limit),
        )


def _fault(code: FaultCode, reason: str) -> Message:
    return Message(fault=MessageFault(code, reason))
