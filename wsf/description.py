"""What a contract promises, frozen: read once from the decorated classes, used by everything that runs.

Descriptions keep all that any wire needs: names, namespace, actions, parameter order and types.
WCF: System.ServiceModel.Description.
"""

from enum import Enum
from typing import Any, Final

from attrs import field, frozen

from wsf.delivery import Delivery

__all__ = (
    "REQUIRED",
    "BodyStyle",
    "ContractDescription",
    "FaultDescription",
    "OperationDescription",
    "ParameterDescription",
    "ServiceDescription",
    "SessionMode",
)


class SessionMode(Enum):
    """Whether a contract allows, requires or forbids a session. WCF: SessionMode."""

    ALLOWED = "Allowed"
    REQUIRED = "Required"
    NOT_ALLOWED = "NotAllowed"


class BodyStyle(Enum):
    """What a message's body holds on some wire. WCF: WebMessageBodyStyle."""

    BARE = "Bare"  # the one parameter, or the result
    WRAPPED = "Wrapped"  # the parameters, in order or by name


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


#: the default of a parameter that has none
REQUIRED: Final = _Required()


@frozen
class ParameterDescription:
    """One parameter of an operation: its Python name, its annotation resolved to a type, its default."""

    name: str
    type: Any
    default: Any = field(default=REQUIRED, hash=False)


@frozen
class FaultDescription:
    """One fault that an operation declares. WCF: FaultDescription.

    Attributes:
        detail_type: The data contract of its detail.
        name, action: WCF's, for wires that have a place for them.
        code: Its number, positive, for encodings that number their errors.
    """

    detail_type: type[Any]
    name: str
    action: str
    code: int


@frozen
class OperationDescription:
    """One operation of a contract. WCF: OperationDescription.

    Attributes:
        name: The wire name: the method's name as written unless ``name=`` said otherwise.
        method: The Python name of the method.
        action: The request's action URI, or ``"*"``.
        reply_action: The reply's action URI; None for a one-way operation.
        parameters: In order, without ``self``.
        result: The annotated return type; ``type(None)`` for none. What streams has the type of its values.
        location: ``file:line`` of the method, for messages to its author.
        faults: What it may raise as a FaultException with a detail, in the order declared.
        delivery: What becomes of its messages for a client that does not keep up; a callback operation's.
        is_streaming: Whether its result is a stream of values: ``-> AsyncIterator[Quote]``.
        is_coroutine: Whether its method is awaited; one that streams need not be.
    """

    name: str
    method: str
    action: str
    reply_action: str | None
    is_one_way: bool
    is_initiating: bool
    is_terminating: bool
    parameters: tuple[ParameterDescription, ...]
    result: Any
    location: str
    faults: tuple[FaultDescription, ...] = ()
    delivery: Delivery = Delivery.DISCONNECT
    is_streaming: bool = False
    is_coroutine: bool = True


@frozen
class ContractDescription:
    """One direction of a conversation, and the other as ``callback``. WCF: ContractDescription."""

    name: str
    namespace: str
    configuration_name: str
    session_mode: SessionMode
    operations: tuple[OperationDescription, ...]
    callback: "ContractDescription | None"
    contract_type: type[Any]


@frozen
class ServiceDescription:
    """A service class and what it implements, as a behavior sees it. WCF: ServiceDescription."""

    name: str
    service_type: type[Any]
    contracts: tuple[ContractDescription, ...]
