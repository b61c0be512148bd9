"""What a contract promises, frozen: read once from the decorated classes, used by everything that runs.

Descriptions keep all that any wire needs: names, namespace, actions, parameter order and types.
WCF: System.ServiceModel.Description.
"""

from enum import Enum
from typing import Any

from attrs import frozen

__all__ = ("ContractDescription", "OperationDescription", "ParameterDescription", "SessionMode")


class SessionMode(Enum):
    """Whether a contract allows, requires or forbids a session. WCF: SessionMode."""

    ALLOWED = "Allowed"
    REQUIRED = "Required"
    NOT_ALLOWED = "NotAllowed"


@frozen
class ParameterDescription:
    """One parameter of an operation: its Python name, and its annotation resolved to a type."""

    name: str
    type: Any


@frozen
class OperationDescription:
    """One operation of a contract. WCF: OperationDescription.

    Attributes:
        name: The wire name: the method's name as written unless ``name=`` said otherwise.
        method: The Python name of the method.
        action: The request's action URI, or ``"*"``.
        reply_action: The reply's action URI; None for a one-way operation.
        parameters: In order, without ``self``.
        result: The annotated return type; ``type(None)`` for none.
        location: ``file:line`` of the method, for messages to its author.
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
