"""What decorated classes say, read once into descriptions, and checked.

WCF reflects contracts in ``new ServiceHost``; so does a host here when it is built: one message an error,
with class, method, parameter and remedy. What WCF checks only when the host opens is in ``check_at_open``.
WCF: TypeLoader, ServiceReflector.
"""

import functools
import inspect
import re
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from typing import Any, Final

from wsf.contracts import (
    ContractAttributes,
    OperationAttributes,
    contract_attributes,
    fault_attributes,
    operation_attributes,
)
from wsf.delivery import Delivery
from wsf.description import (
    REQUIRED,
    ContractDescription,
    FaultDescription,
    OperationDescription,
    ParameterDescription,
    SessionMode,
)
from wsf.errors import ContractError
from wsf.message import ON_OPEN_ACTION, WILDCARD_ACTION

__all__ = ("check_at_open", "contracts_of", "describe", "location_of")

#: what a result that streams is annotated with
_STREAMS: Final = (AsyncIterator, AsyncGenerator, AsyncIterable)


@functools.cache
def describe(contract: type[Any]) -> ContractDescription:
    """The description of a decorated contract.

    Raises:
        ContractError: The contract breaks a rule that WCF checks in ``new ServiceHost``.

    WCF: ContractDescription.GetContract.
    """
    attributes = contract_attributes(contract)
    if attributes is None:
        raise ContractError(f"{contract.__qualname__} is not a contract: decorate it with @service_contract")
    if not getattr(contract, "_is_protocol", False):
        raise ContractError(
            f"{contract.__qualname__} must be an interface: derive it from typing.Protocol (class "
            f"{contract.__name__}(Protocol)), and derive the implementation from {contract.__name__}"
        )
    name = _xml_name(attributes.name or contract.__name__)
    return ContractDescription(
        name=name,
        namespace=attributes.namespace,
        configuration_name=attributes.configuration_name or _python_name(contract),
        session_mode=attributes.session_mode,
        operations=tuple(_operations(contract, name, attributes.namespace)),
        callback=_describe_callback(contract, attributes),
        contract_type=contract,
    )


def contracts_of(service: type[Any]) -> tuple[ContractDescription, ...]:
    """The service contracts that a class implements, nearest base first.

    Raises:
        ContractError: It implements none, or marks an operation outside a contract.
    """
    if contract_attributes(service) is not None:
        raise ContractError(
            f"{service.__qualname__} is a contract: host a class that implements it (class "
            f"{service.__name__}Implementation({service.__name__}))"
        )
    _refuse_marks_outside_contracts(service)
    contracts = tuple(
        describe(base)
        for base in service.__mro__
        if (attributes := contract_attributes(base)) is not None and not attributes.is_callback
    )
    if not contracts:
        raise ContractError(
            f"{service.__qualname__} implements no service contract: name one among its bases "
            f"(class {service.__name__}(MyContract)) and decorate that one with @service_contract"
        )
    return contracts


def check_at_open(contract: ContractDescription) -> None:
    """What WCF checks when the host opens.

    Raises:
        ContractError: The contract, or its callback contract, cannot be dispatched.

    WCF: DispatcherBuilder.InitializeServiceHost.
    """
    title = contract.contract_type.__qualname__
    if not contract.operations:
        raise ContractError(f"{title} has no operations: mark at least one method with @operation_contract")
    if not any(operation.is_initiating for operation in contract.operations):
        raise ContractError(f"{title} has no operation with is_initiating=True: no session could begin")
    for operation in contract.operations:
        where = f"{title}.{operation.method}"
        if contract.session_mode is not SessionMode.REQUIRED and (
            operation.is_terminating or not operation.is_initiating
        ):
            raise ContractError(
                f"{where} sets is_initiating=False or is_terminating=True, which needs a session: set "
                f"session_mode=SessionMode.REQUIRED on {title}"
            )
        if operation.action == ON_OPEN_ACTION and not (
            operation.is_one_way and operation.is_initiating and not operation.parameters
        ):
            raise ContractError(
                f"{where} has the session-open action: it must be one-way, initiating and without parameters"
            )
    _check_actions(contract)
    if contract.callback is not None:
        _check_actions(contract.callback)


def _describe_callback(contract: type[Any], attributes: ContractAttributes) -> ContractDescription | None:
    callback: Any = attributes.callback_contract
    for base in contract.__mro__[1:]:
        parent = contract_attributes(base)
        inherited = parent and parent.callback_contract
        if inherited and not (callback and inherited in callback.__mro__):
            raise ContractError(
                f"{contract.__qualname__} derives from {base.__qualname__}, whose callback contract is "
                f"{inherited.__qualname__}: its own callback_contract must be that or derive from it"
            )
    if callback is None:
        return None
    noted = contract_attributes(callback) if isinstance(callback, type) else None
    if noted is None or not noted.is_callback:
        raise ContractError(
            f"{contract.__qualname__}: callback_contract={getattr(callback, '__qualname__', callback)} is no "
            f"callback contract: it must be a typing.Protocol decorated with @callback_contract"
        )
    return describe(callback)


def _operations(contract: type[Any], contract_name: str, namespace: str) -> Iterator[OperationDescription]:
    """The operations in the order they are written, a base contract's first.

    WCF's action URIs have exactly one slash after the namespace, and ``urn:`` where there is none.
    """
    action_base = f"{namespace.removesuffix('/')}/{contract_name}" if namespace else f"urn:{contract_name}"
    seen: dict[str, str] = {}
    of_callback = getattr(contract_attributes(contract), "is_callback", False)
    for base in reversed(contract.__mro__):
        for method, function in vars(base).items():
            attributes = operation_attributes(function)
            if attributes is None:
                _refuse_unmarked(contract, base, method, function)
                continue
            if attributes.delivery is not None and not of_callback:
                raise ContractError(
                    f"{base.__qualname__}.{method} ({location_of(function)}) has a delivery: that is for "
                    f"what a client is sent, an operation of a @callback_contract"
                )
            operation = _operation(f"{contract.__qualname__}.{method}", function, attributes, action_base)
            where = f"{base.__qualname__}.{method}"
            if operation.name in seen:
                raise ContractError(
                    f"{where} and {seen[operation.name]} are both the operation {operation.name!r} of "
                    f"{contract.__qualname__}: give one of them another name="
                )
            seen[operation.name] = where
            yield operation


def _refuse_marks_outside_contracts(service: type[Any]) -> None:
    for base in service.__mro__:
        if contract_attributes(base) is None:
            for method, function in vars(base).items():
                if operation_attributes(function) is not None:
                    raise ContractError(
                        f"{base.__qualname__}.{method} is marked @operation_contract, but {base.__name__} is "
                        f"not a contract: decorate {base.__name__} with @service_contract, or mark the "
                        f"method in the contract that it implements"
                    )


def _refuse_unmarked(contract: type[Any], base: type[Any], method: str, function: Any) -> None:
    """A public method of a contract that is no operation: a call to it would do nothing, silently."""
    if contract_attributes(base) and inspect.isfunction(function) and not method.startswith("_"):
        raise ContractError(
            f"{contract.__qualname__}.{method} ({location_of(function)}) is no operation, so a call to it "
            f"would do nothing: mark it with @operation_contract(...)"
        )


def _operation(
    title: str, function: Any, attributes: OperationAttributes, action_base: str
) -> OperationDescription:
    where = f"{title} ({location_of(function)})"
    parameters, result = _types(where, function)
    is_coroutine, is_streaming = inspect.iscoroutinefunction(function), _is_stream(result)
    if not (is_coroutine or is_streaming):
        raise ContractError(f"{where} must be an 'async def': operations may wait without blocking anybody")
    if is_streaming:
        result = _streamed(where, result, attributes)
    if attributes.is_one_way and result is not type(None):
        raise ContractError(f"{where} is one-way but returns a value: annotate '-> None'")
    if attributes.is_one_way and attributes.reply_action is not None:
        raise ContractError(f"{where} is one-way but has a reply_action: drop one of them")
    if attributes.is_one_way and fault_attributes(function):
        raise ContractError(f"{where} is one-way but declares a fault: nobody would get it; drop one of them")
    if attributes.delivery is not None:
        _check_delivery(where, attributes, parameters)
    name = _xml_name(attributes.name or function.__name__)
    reply = attributes.reply_action or f"{action_base}/{name}Response"
    return OperationDescription(
        name=name,
        method=function.__name__,
        action=f"{action_base}/{name}" if attributes.action is None else attributes.action,
        reply_action=None if attributes.is_one_way else reply,
        is_one_way=attributes.is_one_way,
        is_initiating=attributes.is_initiating,
        is_terminating=attributes.is_terminating,
        parameters=parameters,
        result=result,
        location=location_of(function),
        faults=_faults(where, function, f"{action_base}/{name}"),
        delivery=attributes.delivery or Delivery.DISCONNECT,
        is_streaming=is_streaming,
        is_coroutine=is_coroutine,
    )


def _is_stream(result: Any) -> bool:
    return result in _STREAMS or typing.get_origin(result) in _STREAMS


def _streamed(where: str, result: Any, attributes: OperationAttributes) -> Any:
    """The type of a stream's values."""
    if attributes.is_one_way:
        raise ContractError(f"{where} streams and is one-way: nobody would get the values; drop one of them")
    if attributes.is_terminating:
        raise ContractError(
            f"{where} streams and is terminating: the session would end before the stream; drop one of them"
        )
    # collections.abc leaves a None as it stands
    values = [type(None) if value is None else value for value in typing.get_args(result)]
    if not values:
        raise ContractError(f"{where} streams, and does not say what: annotate '-> AsyncIterator[Quote]'")
    element, *sent = values
    if any(value is not type(None) for value in sent):
        raise ContractError(f"{where} streams, and takes nothing: annotate '-> AsyncGenerator[..., None]'")
    return element


def _check_delivery(
    where: str, attributes: OperationAttributes, parameters: tuple[ParameterDescription, ...]
) -> None:
    given: object = attributes.delivery
    if not isinstance(given, Delivery):
        raise ContractError(f"{where}: delivery={given!r} is no wsf.Delivery: write Delivery.DROP_OLDEST")
    if not attributes.is_one_way:
        raise ContractError(
            f"{where} has a delivery, but is not one-way: who waits for an answer is answered or told why not"
        )
    names = [parameter.name for parameter in parameters]
    if isinstance(given.key, str) and given.key.partition(".")[0] not in names:
        raise ContractError(
            f"{where}: delivery=Delivery.latest({given.key!r}) names no parameter of it; there are: "
            f"{', '.join(names) or 'none'}"
        )


def _faults(where: str, function: Any, action_base: str) -> tuple[FaultDescription, ...]:
    """What an operation declares; no two of one detail, name or code. WCF: SFxFaultContractDuplicate..."""
    faults: list[FaultDescription] = []
    for position, noted in enumerate(fault_attributes(function), 1):
        name = noted.name or f"{noted.detail_type.__name__}Fault"
        code, detail = noted.code or position, noted.detail_type
        for other in faults:
            if other.detail_type is detail:
                raise ContractError(f"{where} declares two faults with the detail {detail.__qualname__}")
            if other.name == name:
                raise ContractError(f"{where} declares two faults named {name}: give one another name=")
            if other.code == code:
                raise ContractError(
                    f"{where} declares two faults with the code {code}: give one another code="
                )
        faults.append(FaultDescription(detail, name, noted.action or f"{action_base}{name}", code))
    return tuple(faults)


def _types(where: str, function: Any) -> tuple[tuple[ParameterDescription, ...], Any]:
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        raise ContractError(
            f"{where}: the annotation {error.name!r} is not defined in its module: import it there, and not "
            f"under TYPE_CHECKING"
        ) from None
    except SyntaxError as error:
        raise ContractError(f"{where}: the annotation {error.text!r} is no Python") from None
    parameters: list[ParameterDescription] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ContractError(f"{where}: parameter {parameter.name!r} must be an ordinary one: no *, no **")
        if parameter.name not in hints:
            raise ContractError(f"{where}: parameter {parameter.name!r} has no type: annotate it")
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        parameters.append(ParameterDescription(parameter.name, hints[parameter.name], default))
    if "return" not in hints:
        raise ContractError(f"{where} has no return type: annotate '-> None' or the type it returns")
    return tuple(parameters), hints["return"]


def _check_actions(contract: ContractDescription) -> None:
    title = contract.contract_type.__qualname__
    by_action: dict[str, OperationDescription] = {}
    for operation in contract.operations:
        other = by_action.setdefault(operation.action, operation)
        if other is not operation:
            what = (
                "the wildcard" if operation.action == WILDCARD_ACTION else f"the action {operation.action!r}"
            )
            raise ContractError(
                f"{title}.{other.method} and {title}.{operation.method} both have {what}: give one of them "
                f"an action= of its own"
            )


def _xml_name(name: str) -> str:
    """Names that XML would not allow are escaped, as WCF does: ``two words`` is ``two_x0020_words``."""
    escaped = re.sub(r"[^\w.\-]", lambda found: f"_x{ord(found[0]):04X}_", name)
    return escaped if re.match(r"[^\W\d]", escaped) else f"_x{ord(escaped[0]):04X}_{escaped[1:]}"


def _python_name(contract: type[Any]) -> str:
    return f"{contract.__module__}.{contract.__qualname__}"


def location_of(where: Any) -> str:
    """Where a class or function stands, as ``file:line``, for messages to its author."""
    try:
        return f"{inspect.getsourcefile(where)}:{inspect.getsourcelines(where)[1]}"
    except (OSError, TypeError):  # made at a prompt or by a program: there is no file to point at
        return "no source file"
