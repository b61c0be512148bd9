"""Whether a class does what a contract promises: each operation, with its parameters.

WCF has the compiler for this; what mypy would say, a host says when it is built. WCF: ServiceReflector.
"""

import inspect
import typing
from typing import Any

from wsf.contracts import fault_attributes
from wsf.description import ContractDescription, OperationDescription
from wsf.errors import ContractError
from wsf.reflection import location_of

__all__ = ("implementation_of",)


def implementation_of(service: type[Any], contract: ContractDescription) -> None:
    """Check that a service implements each operation of a contract, with its parameters.

    Raises:
        ContractError: An operation is missing (an inherited ``...`` body counts as missing), is not
            ``async def`` as its contract is, or takes other parameters.
    """
    for operation in contract.operations:
        where = f"{service.__qualname__}.{operation.method}"
        function = inspect.getattr_static(service, operation.method)
        if function is inspect.getattr_static(contract.contract_type, operation.method):
            raise ContractError(
                f"{where} is missing: {contract.contract_type.__name__} promises it at {operation.location}; "
                f"write 'async def {operation.method}{_signature(operation)}' in {service.__name__}"
                f" ({location_of(service)})"
            )
        _check_kind(where, function, operation)
        if fault_attributes(function):
            raise ContractError(
                f"{where} ({location_of(function)}) declares a fault: callers read the contract, so write "
                f"@fault_contract at {operation.location}"
            )
        _check_parameters(where, function, operation)


def _check_kind(where: str, function: Any, operation: OperationDescription) -> None:
    """An implementation is awaited, or not, as its contract's callers do."""
    if inspect.iscoroutinefunction(function) == operation.is_coroutine:
        return
    if not operation.is_streaming:
        raise ContractError(f"{where} ({location_of(function)}) must be an 'async def', as in its contract")
    remedy = (
        f"must return an async iterator, not yield: its contract at {operation.location} is an 'async def'"
        if operation.is_coroutine
        else f"must yield: its contract at {operation.location} is a 'def', whose callers do not await"
    )
    raise ContractError(f"{where} ({location_of(function)}) {remedy}")


def _check_parameters(where: str, function: Any, operation: OperationDescription) -> None:
    """A service is called with the contract's parameters, in order: any signature that takes them will do."""
    promised = [parameter.name for parameter in operation.parameters]
    signature = inspect.signature(function)
    try:
        signature.bind(None, *promised)
    except TypeError:
        taken = list(signature.parameters)[1:]
        odd = next((name for name in (*taken, *promised) if (name in taken) != (name in promised)), None)
        raise ContractError(
            f"{where} ({location_of(function)}) takes {', '.join(taken) or 'no parameters'}; its contract at "
            f"{operation.location} says {', '.join(promised) or 'none'}"
            + (f": look at {odd!r}" if odd else "")
        ) from None
    _check_annotations(where, function, operation)


def _check_annotations(where: str, function: Any, operation: OperationDescription) -> None:
    """A parameter must take what the contract promises; where classes say so plainly, it is said here."""
    try:
        hints = typing.get_type_hints(function)
    except NameError:
        return  # the implementation's annotations are its own affair: mypy reads them
    names = list(inspect.signature(function).parameters)[1:]
    for name, promised in zip(names, operation.parameters, strict=False):
        taken = hints.get(name, object)
        if (
            taken is not Any  # a class since Python 3.11
            and isinstance(taken, type)
            and isinstance(promised.type, type)
            and not issubclass(promised.type, taken)
        ):
            raise ContractError(
                f"{where} ({location_of(function)}) takes {name!r} as {_type_name(taken)}; its contract at "
                f"{operation.location} says {_type_name(promised.type)}"
            )


def _signature(operation: OperationDescription) -> str:
    """As its author would write it."""
    parameters = (f"{parameter.name}: {_type_name(parameter.type)}" for parameter in operation.parameters)
    result = _type_name(operation.result)
    if operation.is_streaming:
        result = f"AsyncIterator[{result}]"
    return f"({', '.join(['self', *parameters])}) -> {result}"


def _type_name(annotation: Any) -> str:
    if annotation is type(None):
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
