"""@service_contract, @callback_contract, @operation_contract, @fault_contract: what an author writes.

A decorator only notes it; ``reflection.py`` reads and checks it, when a service is built.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from attrs import frozen

from wsf.delivery import Delivery
from wsf.description import SessionMode
from wsf.errors import ContractError

__all__ = (
    "ContractAttributes",
    "FaultAttributes",
    "OperationAttributes",
    "callback_contract",
    "contract_attributes",
    "fault_attributes",
    "fault_contract",
    "operation_attributes",
    "operation_contract",
    "service_contract",
)

C = TypeVar("C", bound=type[Any])
F = TypeVar("F", bound=Callable[..., Any])

#: WCF's namespace for contracts that name none
DEFAULT_NAMESPACE: Final = "http://tempuri.org/"

_CONTRACT: Final = "__wsf_contract__"
_OPERATION: Final = "__wsf_operation__"
_FAULTS: Final = "__wsf_faults__"


@frozen
class ContractAttributes:
    """What @service_contract or @callback_contract was given."""

    name: str | None = None
    namespace: str = DEFAULT_NAMESPACE
    callback_contract: type[Any] | None = None
    session_mode: SessionMode = SessionMode.ALLOWED
    configuration_name: str | None = None
    is_callback: bool = False


@frozen
class OperationAttributes:
    """What @operation_contract was given."""

    name: str | None = None
    action: str | None = None
    reply_action: str | None = None
    is_one_way: bool = False
    is_initiating: bool = True
    is_terminating: bool = False
    delivery: Delivery | None = None


@frozen
class FaultAttributes:
    """What @fault_contract was given."""

    detail_type: type[Any]
    code: int | None = None
    name: str | None = None
    action: str | None = None


@overload
def service_contract(contract: C) -> C: ...
@overload
def service_contract(
    *,
    name: str | None = None,
    namespace: str = DEFAULT_NAMESPACE,
    callback_contract: type[Any] | None = None,
    session_mode: SessionMode = SessionMode.ALLOWED,
    configuration_name: str | None = None,
) -> Callable[[C], C]: ...
def service_contract(
    contract: Any = None,
    *,
    name: str | None = None,
    namespace: str = DEFAULT_NAMESPACE,
    callback_contract: type[Any] | None = None,
    session_mode: SessionMode = SessionMode.ALLOWED,
    configuration_name: str | None = None,
) -> Any:
    """Mark a ``typing.Protocol`` as what clients may call.

    Args:
        contract: The class, when the decorator is used without parentheses.
        name: The wire name; the class's own unless given.
        namespace: The first part of the operations' action URIs; may be "".
        callback_contract: The ``@callback_contract`` of the other direction.
        session_mode: Whether a session is allowed, required or forbidden; a WebSocket always is one.
        configuration_name: What a configuration file calls the contract, beside its Python name.

    Raises:
        ContractError: ``name`` or ``configuration_name`` is empty.

    WCF: ServiceContractAttribute.
    """
    _refuse_empty("service_contract", name=name, configuration_name=configuration_name)
    return _marker(
        _CONTRACT,
        ContractAttributes(name, namespace, callback_contract, session_mode, configuration_name),
        contract,
    )


def callback_contract(contract: C) -> C:
    """Mark a ``typing.Protocol`` as what the service may call on its client.

    WCF: the interface named by ``ServiceContract(CallbackContract = ...)``.
    """
    marked: C = _marker(_CONTRACT, ContractAttributes(is_callback=True), contract)
    return marked


@overload
def operation_contract(operation: F) -> F: ...
@overload
def operation_contract(
    *,
    name: str | None = None,
    action: str | None = None,
    reply_action: str | None = None,
    is_one_way: bool = False,
    is_initiating: bool = True,
    is_terminating: bool = False,
    delivery: Delivery | None = None,
) -> Callable[[F], F]: ...
def operation_contract(
    operation: Any = None,
    *,
    name: str | None = None,
    action: str | None = None,
    reply_action: str | None = None,
    is_one_way: bool = False,
    is_initiating: bool = True,
    is_terminating: bool = False,
    delivery: Delivery | None = None,
) -> Any:
    """Mark an ``async def`` of a contract as an operation.

    Args:
        operation: The method, when the decorator is used without parentheses.
        name: The wire name; the method's own unless given. Nothing converts case.
        action: The action URI, taken as is; ``"*"`` takes what no other operation names.
        reply_action: The reply's action URI; only for operations that reply.
        is_one_way: No reply, no fault: the caller goes on as soon as the message is accepted.
        is_initiating: May be the first call of a session.
        is_terminating: The session ends after it.
        delivery: Of a one-way operation of a callback contract: what becomes of its messages for a client
            that does not keep up; ``Delivery.DISCONNECT`` unless given.

    Raises:
        ContractError: ``name`` is empty.

    WCF: OperationContractAttribute.
    """
    _refuse_empty("operation_contract", name=name)
    return _marker(
        _OPERATION,
        OperationAttributes(name, action, reply_action, is_one_way, is_initiating, is_terminating, delivery),
        operation,
    )


def fault_contract(
    detail_type: type[Any], *, code: int | None = None, name: str | None = None, action: str | None = None
) -> Callable[[F], F]:
    """Declare a fault of an operation: one ``FaultException`` detail that its callers may rely on.

    ::

        @operation_contract
        @fault_contract(OutOfStock)
        async def order(self, sku: str, count: int) -> Receipt: ...

    Args:
        detail_type: The data contract of the fault's detail.
            A detail of a class that derives from it is one, too, unless that class is declared itself.
        code: A positive number of its own, for encodings that number their errors; by default the
            operation's first declared fault is 1, the next 2.
        name: The fault's wire name; the detail's class and ``Fault`` unless given.
        action: The fault's action URI.

    Raises:
        ContractError: ``detail_type`` is no class, ``code`` is not positive, or ``name`` is empty.

    WCF: FaultContractAttribute.
    """
    _refuse_empty("fault_contract", name=name)
    given: object = detail_type
    if not isinstance(given, type):
        raise ContractError(f"@fault_contract({given!r}): give the class of the fault's detail")
    if code is not None and code < 1:
        raise ContractError(f"@fault_contract(code={code}): codes of one's own are positive")

    def decorate(operation: F) -> F:
        # decorators run from the bottom up; faults are numbered as they are read
        noted = (FaultAttributes(detail_type, code, name, action), *fault_attributes(operation))
        setattr(operation, _FAULTS, noted)
        return operation

    return decorate


def fault_attributes(function: object) -> tuple[FaultAttributes, ...]:
    """The faults that a function declares, in the order they are written."""
    noted: tuple[FaultAttributes, ...] = getattr(function, _FAULTS, ())
    return noted


def contract_attributes(candidate: type[Any]) -> ContractAttributes | None:
    """What a class's own decorator noted: contracts are not inherited, as in WCF."""
    noted: ContractAttributes | None = vars(candidate).get(_CONTRACT)
    return noted


def operation_attributes(function: object) -> OperationAttributes | None:
    """What a function's decorator noted; None for one that is no operation."""
    return getattr(function, _OPERATION, None)


def _marker(mark: str, attributes: object, decorated: Any) -> Any:
    def decorate(target: Any) -> Any:
        setattr(target, mark, attributes)
        return target

    return decorate if decorated is None else decorate(decorated)


def _refuse_empty(decorator: str, **names: str | None) -> None:
    for key, value in names.items():
        if value == "":
            raise ContractError(f'@{decorator}({key}=""): the name may not be empty; leave {key} out')
