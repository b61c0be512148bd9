"""The table of errors: what each means to who waits for an answer, and to the session.

Error handlers are asked first. What they leave is the peer's fault (a ProtocolError), another client's end
(any other CommunicationError), or the service's own. WCF: ErrorBehavior.
"""

import asyncio
import logging
import uuid
from typing import Any, Final

from attrs import frozen

from wsf import data_contracts
from wsf.cancellation import CANCELLED, CallCancelledError
from wsf.communication_object import CloseStatus
from wsf.counters import Meter
from wsf.description import OperationDescription
from wsf.errors import (
    CloseCode,
    CommunicationError,
    FaultCode,
    FaultException,
    ProtocolError,
    QuotaExceededError,
    ReplyTimeoutError,
)
from wsf.extensions import DispatchRuntime
from wsf.faults import exception_detail, fault_of, text_of
from wsf.message import MessageFault

__all__ = ("OWN_ERRORS", "ErrorBehavior", "Verdict", "as_exception")

logger = logging.getLogger("wsf.sessions")

#: characters of the reference that a client is given with an internal error, and that the log has, too
REFERENCE_LENGTH: Final = 8

#: what a function that does not wait may raise by mistake, and is no cancellation of its task, nor the end of
#: the program
OWN_ERRORS: Final = (Exception, asyncio.CancelledError, SystemExit, BaseExceptionGroup)


@frozen
class Verdict:
    """What an error means: the answer to who waits for one, and the session's end, if that is it."""

    fault: MessageFault
    end: CloseStatus | None = None


def as_exception(error: BaseException) -> Exception:
    """An error as handlers get it: a cancellation that nobody asked for, or an exit, is a mistake."""
    if isinstance(error, Exception):
        return error
    if isinstance(error, asyncio.CancelledError):
        mistake = RuntimeError("an await was cancelled, and not by who runs the operation")
    else:
        mistake = RuntimeError(f"{type(error).__name__} was raised, which is for whole programs")
    mistake.__cause__ = error
    return mistake


class ErrorBehavior:
    """Judges the errors of one service.

    Args:
        include_detail: Callers are told what went wrong inside.
    """

    def __init__(self, service: str, extensions: DispatchRuntime, meter: Meter, include_detail: bool) -> None:
        self._service = service
        self._handlers = extensions.error_handlers
        self._meter = meter
        self._include_detail = include_detail

    def judge(
        self, error: Exception, operation: OperationDescription | None, caller: object, where: str = ""
    ) -> Verdict:
        """What an error means that an operation, or who runs around it, raised. WCF: ``ProvideFault``.

        Args:
            caller: The channel that it is an answer for.
            where: Its place in the service, for the log: the operation unless given.
        """
        if isinstance(error, CallCancelledError):
            self._meter.calls_cancelled += 1
            return Verdict(CANCELLED)
        where = where or (operation.method if operation is not None else "")
        fault = self.provided(error, caller)
        if fault is not None:
            try:
                return Verdict(fault_of(fault, operation))
            except Exception as unwritable:  # the service's own mistake in its fault
                unwritable.__cause__ = error  # the log has both: what was to be told, and why it could not be
                error = unwritable
        if isinstance(error, ProtocolError):
            code = FaultCode.DESERIALIZATION_FAILED
            return Verdict(MessageFault(code, text_of(error)), self.blame_peer(error))
        if isinstance(error, CommunicationError):  # another client's end is not this one's problem
            logger.warning(
                "a call to a client failed in %s.%s: %s", self._service, where, ascii(text_of(error))
            )
            if isinstance(error, ReplyTimeoutError):
                reason = "a client did not answer in time"
                return Verdict(self._internal(reason, error, FaultCode.TIMED_OUT))
            return Verdict(self._internal("a call to a client failed", error))
        return self.blame_service(error, where)

    def refusal(self, error: Exception, caller: object, where: str) -> CloseStatus:
        """How a session ends that an inspector did not let begin: 1008 and the reason, if it is a fault."""
        verdict = self.judge(error, None, caller, where)
        is_fault = verdict.fault.code is FaultCode.SENDER
        code = CloseCode.POLICY_VIOLATION if is_fault else CloseCode.INTERNAL_ERROR
        return verdict.end or CloseStatus(code, verdict.fault.reason)

    def blame_peer(self, error: ProtocolError) -> CloseStatus:
        """The peer's fault: it is told which rule it broke, in our words."""
        self._meter.protocol_errors += 1
        if isinstance(error, QuotaExceededError):
            self._meter.messages_too_big += 1
        return CloseStatus(error.close_code, text_of(error))

    def blame_service(self, error: Exception, where: str) -> Verdict:
        """The service's own fault: the peer gets a number that the log has, too, and nothing else."""
        self._meter.operations_failed += 1
        reference = uuid.uuid4().hex[:REFERENCE_LENGTH]
        logger.error("%s.%s failed, reference %s", self._service, where, reference, exc_info=error)
        reason = f"internal error, reference {reference}"
        return Verdict(self._internal(reason, error), CloseStatus(CloseCode.INTERNAL_ERROR, reason))

    def provided(self, error: Exception, caller: object) -> FaultException[Any] | None:
        """The fault that an error is, or that the last handler with something to say makes of it.

        One that another client answered with is none of ours.
        """
        fault = error if isinstance(error, FaultException) and error.origin in (None, caller) else None
        for handler in self._handlers:
            try:
                said = handler.provide_fault(error, fault)
                if said is not None and not isinstance(said, FaultException):
                    raise TypeError(f"provide_fault returned {type(said).__name__}: a FaultException or None")
                fault = said if said is not None else fault
            except OWN_ERRORS:  # a handler's own mistake: the error takes its course
                logger.exception("an error handler failed: %s", type(handler).__qualname__)
        return fault

    def handle(self, error: Exception) -> bool:
        """Let every handler hear of an error; whether one of them has dealt with it. WCF: ``HandleError``."""
        if isinstance(error, CallCancelledError):
            return True  # nothing went wrong
        is_handled = False
        for handler in self._handlers:
            try:
                is_handled = bool(handler.handle_error(error)) or is_handled
            except OWN_ERRORS:  # a handler's own mistake is no further error of the session
                logger.exception("an error handler failed: %s", type(handler).__qualname__)
        return is_handled

    def _internal(
        self, reason: str, error: Exception, code: FaultCode = FaultCode.INTERNAL_SERVICE_FAULT
    ) -> MessageFault:
        if not self._include_detail:
            return MessageFault(code, reason)
        detail = data_contracts.write_value(exception_detail(error))
        return MessageFault(code, text_of(error) or reason, detail)
