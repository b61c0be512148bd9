"""Formatters: an operation's parameters and result <-> a message's body.

``streamed`` has what streams say of themselves, beside their operation's formatter, which has their values.
``raw``: the operation takes and returns messages. ``bare``: the body is the one parameter. ``wrapped``: the
body holds the parameters, in order or by name. Which of the last two it is, an encoding's body style says.
WCF: IDispatchMessageFormatter, IClientMessageFormatter, WebMessageBodyStyle.
"""

from types import NoneType
from typing import Any, Protocol

from wsf.data_contracts import JsonQuotas
from wsf.description import BodyStyle, ContractDescription, OperationDescription
from wsf.errors import ContractError
from wsf.message import Message

__all__ = ("MessageFormatter", "formatter_for")


class MessageFormatter(Protocol):
    """One operation's parameters and result, to and from messages."""

    def deserialize_request(self, message: Message) -> tuple[Any, ...]:
        """The arguments in a request.

        Raises:
            SerializationError: The body does not hold them: the peer's fault.
        """
        ...

    def serialize_reply(self, result: Any, relates_to: str | bytes | None = None) -> Message:
        """The reply with a result, to the call of that id; of what streams, one value.

        Raises:
            ValueError, TypeError: The result cannot be written as what the contract promises.
        """
        ...

    def serialize_request(self, arguments: tuple[Any, ...]) -> Message:
        """The request with all arguments of an operation, in its order.

        Raises:
            ValueError, TypeError: An argument cannot be written as what the contract promises.
        """
        ...

    def deserialize_reply(self, message: Message) -> Any:
        """The result in a reply; of what streams, one value.

        Raises:
            SerializationError: The body does not hold it.
        """
        ...


def formatter_for(
    contract: ContractDescription,
    operation: OperationDescription,
    style: BodyStyle,
    quotas: JsonQuotas,
) -> MessageFormatter:
    """The formatter of an operation over an encoding of that style.

    Raises:
        ContractError: A parameter or the result has no form on the wire; with class, method and remedy.
    """
    where = f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location})"
    types = [parameter.type for parameter in operation.parameters]
    try:
        if Message in types or operation.result is Message:
            return _raw(types, operation)
        if style is BodyStyle.WRAPPED:
            from wsf.formatters.wrapped import WrappedFormatter  # noqa: PLC0415 - loads the JSON reader

            return WrappedFormatter(operation, quotas)
        from wsf.formatters.bare import BareFormatter  # noqa: PLC0415 - the same

        return BareFormatter(operation, quotas)
    except ContractError as error:
        raise ContractError(f"{where}: {error}") from None


def _raw(types: list[Any], operation: OperationDescription) -> MessageFormatter:
    from wsf.formatters.raw import RawFormatter  # noqa: PLC0415 - one place for all three

    if operation.is_streaming:
        raise ContractError("a stream has data contracts or plain values: no wsf.Message goes in or out")
    if len(types) > 1 or types not in ([], [Message]) or operation.result not in (NoneType, Message):
        raise ContractError(
            "a wsf.Message is the whole body: it must be the only parameter, and what comes back must be a "
            "wsf.Message or None"
        )
    return RawFormatter(takes_message=bool(types))
