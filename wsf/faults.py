"""Faults: an operation's FaultException, and the fault that travels. One home, several wire shapes.

WCF: FaultFormatter, ExceptionDetail, and the faults that the dispatcher makes itself.
"""

import contextlib
import traceback
from collections.abc import Sequence
from typing import Any, Final

from wsf import data_contracts
from wsf.description import OperationDescription
from wsf.errors import ContractError, FaultException, SerializationError
from wsf.message import MessageFault

__all__ = ("check_faults", "exception_detail", "exception_of", "fault_of", "text_of")

#: exceptions behind an exception that a detail tells of
MAX_INNER: Final = 8

#: characters of an error's text, or of a traceback, that anybody is told: one that quotes all it was given
#: must not cost a client its outbox
MAX_TEXT: Final = 8192


def check_faults(operation: OperationDescription) -> None:
    """Make sure that what an operation declares can travel.

    Raises:
        ContractError: A fault's detail has no JSON form.
    """
    for fault in operation.faults:
        try:
            data_contracts.check(fault.detail_type)
        except ContractError as error:
            where = f"{operation.method} ({operation.location})"
            raise ContractError(
                f"{where}: @fault_contract({fault.detail_type.__qualname__}): {error}"
            ) from None


def fault_of(error: FaultException[Any], operation: OperationDescription | None) -> MessageFault:
    """A FaultException as it travels: with the number of the fault contract that its detail has.

    Where several fit, because one detail derives from another, the most derived one is it.

    Raises:
        ValueError, ContractError: The detail has no JSON form.
    """
    if error.detail is None:
        return MessageFault(error.code, error.reason)
    declared = {fault.detail_type: fault.code for fault in operation.faults} if operation is not None else {}
    number = next((declared[kind] for kind in type(error.detail).__mro__ if kind in declared), None)
    return MessageFault(error.code, error.reason, data_contracts.write_value(error.detail), number)


def exception_of(fault: MessageFault, operation: OperationDescription) -> FaultException[Any]:
    """What the caller of an operation gets: its detail is of the type that the operation declares for it.

    A detail that nobody declared, or that is not what was declared, is plain JSON values; one that is over
    the quotas is left out.
    """
    declared = [contract.detail_type for contract in operation.faults if contract.code == fault.number]
    detail = None if fault.detail is None else _read_detail(fault.detail, [*declared, Any])
    return FaultException(fault.reason, detail, code=fault.code)


def _read_detail(text: bytes, kinds: Sequence[Any]) -> Any:
    for kind in kinds:
        with contextlib.suppress(SerializationError):
            return data_contracts.read_value(kind, text)
    return None


def text_of(error: BaseException) -> str:
    """An error's own text, whatever its ``__str__`` does: bounded, and fit for any wire."""
    try:
        text = str(error)[:MAX_TEXT]
    except Exception:  # the service's own mistake on the way to telling of another one
        text = type(error).__name__
    return text.encode(errors="replace").decode()


def exception_detail(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """What went wrong inside, for whoever debugs. WCF: ExceptionDetail, by its members' names."""
    inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    trace = "".join(traceback.format_tb(error.__traceback__))
    return {
        "HelpLink": None,
        "InnerException": exception_detail(inner, depth + 1) if inner and depth < MAX_INNER else None,
        "Message": text_of(error),
        "StackTrace": trace[-MAX_TEXT:].encode(errors="replace").decode(),
        "Type": f"{type(error).__module__}.{type(error).__qualname__}",
    }
