"""Faults: an operation's FaultException, and the fault that travels. One home, several wire shapes.

WCF: FaultFormatter, ExceptionDetail, and the faults that the dispatcher makes itself.
"""

import traceback
from typing import Any, Final

from wsf import data_contracts
from wsf.description import OperationDescription
from wsf.errors import FaultException, SerializationError
from wsf.message import MessageFault

__all__ = ("exception_detail", "exception_of", "fault_of")

#: exceptions behind an exception that a detail tells of
MAX_INNER: Final = 8


def fault_of(error: FaultException[Any], operation: OperationDescription | None) -> MessageFault:
    """A FaultException as it travels: with the code of the fault contract that its detail has.

    Raises:
        ValueError, ContractError: The detail has no JSON form.
    """
    if error.detail is None:
        return MessageFault(error.code, error.reason)
    declared = operation.faults if operation is not None else ()
    contract = next((fault for fault in declared if isinstance(error.detail, fault.detail_type)), None)
    detail = data_contracts.write_value(error.detail)
    return MessageFault(error.code, error.reason, detail, contract.code if contract else None)


def exception_of(fault: MessageFault, operation: OperationDescription) -> FaultException[Any]:
    """What the caller of an operation gets: its detail is of the type that the operation declares for it.

    A detail that nobody declared, or that is not what was declared, is plain JSON values.
    """
    detail: Any = None
    if fault.detail is not None:
        declared = [contract for contract in operation.faults if contract.code == fault.number]
        try:
            detail = data_contracts.read_value(declared[0].detail_type if declared else Any, fault.detail)
        except SerializationError:
            detail = data_contracts.read_value(Any, fault.detail)
    return FaultException(fault.reason, detail, code=fault.code)


def exception_detail(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """What went wrong inside, for whoever debugs. WCF: ExceptionDetail, by its members' names."""
    inner = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {
        "HelpLink": None,
        "InnerException": exception_detail(inner, depth + 1) if inner and depth < MAX_INNER else None,
        "Message": str(error),
        "StackTrace": "".join(traceback.format_tb(error.__traceback__)),
        "Type": f"{type(error).__module__}.{type(error).__qualname__}",
    }
